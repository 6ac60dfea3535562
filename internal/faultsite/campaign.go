package faultsite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Plan is how a campaign is run.
type Plan struct {
	Binary string
	Next   string // the version after it, for the campaign upgrade
	Dir    string
	Seed   uint64
	Count  int           // faults
	Time   time.Duration // after which no further fault is begun, 0 for none
	Kind   bool          // disks that keep names as ext4 does
	// Profile of the nodes, where the campaign does not name one; "" is its default.
	Profile string
	Print   io.Writer
}

// Campaign breaks a site in one way.
type Campaign struct {
	Name string
	Says string // one line for people
	Run  func(context.Context, Plan) error
}

// Campaigns are all there are, in the order in which they are run.
func Campaigns() []Campaign {
	return []Campaign{
		{"cut-all", "power cuts of all nodes at once", cutAll},
		{"cut-one", "power cuts of one node", cutOne},
		{"processes", "kill -9 and SIGSTOP of one node, two or all", processes},
		{"network", "partitions, also deafness one way", network},
		{"stall", "fsyncs of the leader that take 2 s, which it keeps the lead through, and that never end", stall},
		{"full", "full disks of one node, two and all, and of one that comes back", full},
		{"small", "512 MB of memory and a slow disk for each node, and kill -9", small},
		{"rot", "flipped bits in the history, the log, the votes, the snapshots and the identity of one node at a time", rot},
		{"takeover", "kill -9 of the leader, and how long it is to the next acknowledged reading", takeover},
		{"errors", "reads, writes and fsyncs that fail", failing},
		{"cards", "wiped cards, cards of last week, two nodes that exchange addresses, new addresses for all", cards},
		{"upgrade", "rolling restarts to the next version and back, and then for good", upgrade},
	}
}

// trial is a site under load with its oracles.
type trial struct {
	*Site
	load     *load
	digests  digests
	probe    probe
	plan     Plan
	began    time.Time
	unwatch  context.CancelFunc // ends watching
	watching sync.WaitGroup
}

// begin starts a site and its load.
func begin(ctx context.Context, p Plan, cfg Config) (*trial, error) {
	cfg.Binary, cfg.Dir, cfg.Seed, cfg.Kind = p.Binary, p.Dir, p.Seed, p.Kind
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	s, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t := &trial{Site: s, plan: p, began: time.Now()}
	if t.load, err = s.startLoad(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	watching, unwatch := context.WithCancel(ctx)
	t.unwatch = unwatch
	t.probe.site = s
	t.watching.Go(func() { t.digests.watch(watching, s) })
	t.watching.Go(func() { t.probe.run(watching) })
	return t, nil
}

// more tells whether fault number i, 0 and up, is to be begun.
func (t *trial) more(i int) bool {
	return i < t.plan.Count && (t.plan.Time == 0 || time.Since(t.began) < t.plan.Time)
}

// pause lets the load run for a while, as long as the draw says.
func (t *trial) pause(ctx context.Context, least, most time.Duration) {
	timer := time.NewTimer(least + time.Duration(t.Draw.Int64N(int64(most-least))))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// recovered waits until all nodes serve and something is acknowledged.
func (t *trial) recovered(ctx context.Context) error {
	if err := t.WaitReady(ctx); err != nil {
		return violation("a node does not come up: %v", err)
	}
	if err := t.load.waitAck(ctx, startTimeout); err != nil {
		return violation("the site takes nothing: %v", err)
	}
	return nil
}

// finish ends the load, asks the oracles and closes the site. err is what the
// campaign came to; faults says what it did, for people.
func (t *trial) finish(ctx context.Context, err error, faults string) error {
	err = errors.Join(err, t.load.end())
	t.unwatch()
	t.watching.Wait()
	reads, stale := t.probe.found()
	err = errors.Join(err, stale)
	if err == nil {
		report, found := t.audit(ctx, t.load, &t.digests)
		err = found
		ends := 0
		for _, n := range t.Nodes {
			ends += n.Ends()
		}
		if t.Dropped > 0 {
			faults += fmt.Sprintf("; the site dropped %d readings, of which %d are only in gaps", t.Dropped, t.Gone)
		}
		fmt.Fprintf(t.plan.Print, "  %s; seed %d; %d readings acknowledged, %d refused, %d without answer; %d linearizable reads; %d ends of processes; %s; %s\n",
			faults, t.plan.Seed, report.Acked, t.load.ledger.Counts().Refused, report.Unanswered, reads, ends, t.Lost, time.Since(t.began).Round(time.Second))
	}
	if err != nil {
		for _, n := range t.Nodes {
			fmt.Fprintf(t.plan.Print, "  the log of %s ends:\n%s\n", n.Name, n.Said(15))
		}
		err = errors.Join(err, t.keepDisks())
	}
	if words := t.load.refusals(); len(words) > 0 {
		fmt.Fprintf(t.plan.Print, "  refusals:\n%s\n", strings.Join(words[:min(len(words), 8)], "\n"))
	}
	return errors.Join(err, t.Close())
}

// Find returns the campaigns with these names, separated by commas; all for "".
func Find(names string) ([]Campaign, error) {
	all := Campaigns()
	if names == "" {
		return all, nil
	}
	var list []Campaign
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(c Campaign) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no campaign %q", name)
		}
		list = append(list, all[i])
	}
	return list, nil
}
