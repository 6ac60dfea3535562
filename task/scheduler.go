package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

const (
	// Lease is how long, in log time, a run stays its node's without a sign of
	// life. A runner renews it at a third.
	Lease = 10 * time.Second
	// pace bounds how often the state is looked through for work.
	pace = 200 * time.Millisecond
	// recheck is the longest wait for something to be applied: a lease that
	// ends and a node that comes back are applied nowhere.
	recheck = time.Second
	// mistrust is how long a node whose lease ran out gets a run only where
	// all others do worse.
	mistrust = time.Minute
)

// Scheduler gives the runs of active tasks to nodes. It keeps nothing that a
// term needs from the one before.
type Scheduler struct {
	site    Site
	members func() []cluster.Member
	log     *slog.Logger
}

// NewScheduler is a scheduler on a node whose members gossip sees.
func NewScheduler(site Site, members func() []cluster.Member, log *slog.Logger) *Scheduler {
	return &Scheduler{site: site, members: members, log: log}
}

// Duty is the cluster.Duty to give to the node.
func (s *Scheduler) Duty(ctx context.Context, lead *cluster.Lead) { s.Schedule(ctx, lead) }

// Schedule assigns runs through lead until ctx is done or the lead is lost.
//
// A task without a run goes to the node that lives and has the fewest runs; a
// run whose lease is over goes to another node where there is one. Runs that
// are alive stay where they are.
func (s *Scheduler) Schedule(ctx context.Context, lead Proposer) {
	t := term{lead: lead, log: s.log, silent: make(map[string]fsm.LogTime)}
	for ctx.Err() == nil {
		applied := s.site.Applied()
		view, err := s.site.View(ctx, cluster.Local)
		if err == nil {
			err = t.assign(ctx, view, alive(s.members()))
		}
		switch {
		case errors.Is(err, cluster.ErrNotLeader), errors.Is(err, cluster.ErrClosed):
			return
		case err != nil && ctx.Err() == nil:
			s.log.Warn("runs wait for their nodes", "err", err)
		}
		waitApplied(ctx, applied, recheck)
	}
}

// alive are the names of the nodes that can run something, sorted.
func alive(members []cluster.Member) []string {
	var names []string
	for _, m := range members {
		if m.Alive && m.Role != "joining" {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// waitApplied waits for applied or at most longest, but no shorter than pace.
func waitApplied(ctx context.Context, applied <-chan struct{}, longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
		return
	case <-applied:
	}
	timer.Reset(min(pace, longest))
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// term is what one term of scheduling knows.
type term struct {
	lead  Proposer
	log   *slog.Logger
	clock leaseClock
	// silent is the log time at which a run of the node was last given away
	// because its lease had run out.
	silent map[string]fsm.LogTime
}

// assign gives away each run that nobody has.
func (t *term) assign(ctx context.Context, plans Plans, nodes []string) error {
	now := t.clock.now(plans.LogTime())
	for node, since := range t.silent {
		if now-since > fsm.LogTime(mistrust.Microseconds()) {
			delete(t.silent, node)
		}
	}
	tasks := plans.Tasks()
	runs := make(map[string]int)
	for i := range tasks {
		if taken(&tasks[i], now) {
			runs[tasks[i].Node]++
		}
	}
	for i := range tasks {
		task := &tasks[i]
		if task.State != fsm.TaskActive || taken(task, now) {
			continue
		}
		if task.Attempt > 0 {
			t.silent[task.Node] = now
		}
		node, ok := t.choose(nodes, runs)
		if !ok {
			return nil // nobody lives, as gossip sees it; the next look may see more
		}
		if err := t.give(ctx, task, node); err != nil {
			return err
		}
		runs[node]++
	}
	return nil
}

// taken tells whether a node has a run of the task.
func taken(task *fsm.Task, now fsm.LogTime) bool {
	return task.State == fsm.TaskActive && task.Attempt > 0 && now <= task.Lease
}

// choose prefers nodes that kept their runs (then those whose silence is
// longest ago), then those with few runs, then the order of names.
func (t *term) choose(nodes []string, runs map[string]int) (string, bool) {
	if len(nodes) == 0 {
		return "", false
	}
	return slices.MinFunc(nodes, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(t.silent[a], t.silent[b]),
			cmp.Compare(runs[a], runs[b]),
			cmp.Compare(a, b))
	}), true
}

// give proposes the next attempt. A refusal is no error: somebody was quicker,
// or the log's clock stands before the estimate; the next look shows it.
func (t *term) give(ctx context.Context, task *fsm.Task, node string) error {
	res, err := t.lead.Propose(ctx, fsm.AssignRunCommand{
		Task: task.ID, Attempt: task.Attempt + 1, Node: node, Lease: Lease.Microseconds(),
	})
	if err != nil {
		return fmt.Errorf("give task %s to %s: %w", task.ID, node, err)
	}
	if err := refusal(res); err != nil {
		t.log.Debug("run not given", "task", task.ID, "attempt", task.Attempt+1, "err", err)
		return nil
	}
	t.log.Info("run given", "task", task.ID, "attempt", task.Attempt+1, "node", node, "before", task.Node)
	return nil
}

// refusal is the refusal of a command with one outcome.
func refusal(res fsm.Result) error {
	for _, o := range res.Outcomes {
		if err := o.Code.Err(); err != nil {
			return err
		}
	}
	return nil
}

// leaseClock estimates log time between entries: an idle site applies nothing
// and its log time stands, but leases run out all the same. The leader's own
// monotonic clock drives log time, so the estimate holds where it leads.
type leaseClock struct {
	log fsm.LogTime
	at  time.Time // when log was the state's log time first, monotonic
}

// now is the estimate when the state's log time is applied.
func (c *leaseClock) now(applied fsm.LogTime) fsm.LogTime {
	if !c.at.IsZero() {
		estimate := c.log + fsm.LogTime(time.Since(c.at).Microseconds())
		if estimate > applied {
			return estimate
		}
	}
	c.log, c.at = applied, time.Now()
	return applied
}
