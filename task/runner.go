package task

import (
	"context"
	"log/slog"
	"sync"

	"skerry/cluster"
	"skerry/fsm"
)

// Runner works on the runs that the state gives to one node.
type Runner struct {
	site Site
	node string
	log  *slog.Logger
}

// NewRunner is a runner for the node of this name.
func NewRunner(site Site, node string, log *slog.Logger) *Runner {
	return &Runner{site: site, node: node, log: log}
}

// Run works until ctx is done and returns nil when all runs have stopped. There
// are at most fsm.MaxTasks of them, each with one page of readings in memory.
func (r *Runner) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	runs := make(map[string]*assignment)
	defer func() {
		for _, a := range runs {
			a.stop()
		}
	}()
	for ctx.Err() == nil {
		applied := r.site.Applied()
		view, err := r.site.View(ctx, cluster.Local)
		if err == nil {
			r.follow(ctx, &workers, runs, view.Tasks())
		} else if ctx.Err() == nil {
			r.log.Warn("tasks cannot be read", "err", err)
		}
		waitApplied(ctx, applied, recheck)
	}
	return nil
}

// assignment is one attempt that this node works on.
type assignment struct {
	attempt uint64
	stop    context.CancelFunc
	ended   <-chan struct{} // closed when the work has returned
}

// follow starts and stops work so that it is what tasks say. An attempt whose
// work ended by itself is not begun again unless the state gives it anew.
func (r *Runner) follow(ctx context.Context, workers *sync.WaitGroup, runs map[string]*assignment, tasks []fsm.Task) {
	wanted := make(map[string]uint64)
	for i := range tasks {
		t := &tasks[i]
		if t.State == fsm.TaskActive && t.Attempt > 0 && t.Node == r.node {
			wanted[t.ID] = t.Attempt
		}
	}
	for id, a := range runs {
		if wanted[id] == a.attempt {
			continue
		}
		a.stop()
		select {
		case <-a.ended:
			delete(runs, id)
		default: // looked at again when it has ended
			delete(wanted, id)
		}
	}
	for id, attempt := range wanted {
		if runs[id] == nil {
			runs[id] = r.begin(ctx, workers, id, attempt)
		}
	}
}

func (r *Runner) begin(ctx context.Context, workers *sync.WaitGroup, id string, attempt uint64) *assignment {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	w := &work{
		site: r.site, id: id, attempt: attempt, node: r.node,
		log: r.log.With("task", id, "attempt", attempt),
	}
	workers.Go(func() {
		defer close(ended)
		defer stop()
		w.run(ctx)
	})
	return &assignment{attempt: attempt, stop: stop, ended: ended}
}
