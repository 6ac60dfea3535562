package faultsite

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"skerry/fsm"
)

// upgrade restarts nodes one by one with the next version, which knows a command
// and a field more, and back again as long as one is left that does not know it;
// at last it restarts all, and the site has to use what is new.
func upgrade(ctx context.Context, p Plan) error {
	if _, err := os.Stat(p.Next); err != nil {
		return fmt.Errorf("%w: build it with make bin/skerry-next", err)
	}
	t, err := begin(ctx, p, Config{Args: snapshotOften})
	if err != nil {
		return err
	}
	var level uint32
	err = until(ctx, startTimeout, func() error {
		if level, err = t.level(ctx); err == nil && level > 0 && level < uint32(fsm.NewestLevel) {
			err = fmt.Errorf("the site is at level %d, not yet at %d", level, fsm.NewestLevel)
		}
		return err
	})
	level = max(level, uint32(fsm.FirstLevel)) // which versions before levels know
	rounds, restarts := 0, 0
	for ; err == nil && t.more(rounds); rounds++ {
		order := t.Draw.Perm(len(t.Nodes))
		some := order[:1+t.Draw.IntN(len(order)-1)]
		for _, to := range []string{p.Next, p.Binary} {
			for _, i := range some {
				if err == nil {
					restarts++
					err = t.restartAs(ctx, t.Nodes[i], to, level)
				}
			}
		}
	}
	if err == nil {
		err = t.upgradeAll(ctx, level)
	}
	return t.finish(ctx, err, fmt.Sprintf("%d rolling restarts to the next version and back (%d of nodes), and one for good", rounds, restarts))
}

// level is the highest level of the site that a node tells. Versions from before
// levels tell none.
func (t *trial) level(ctx context.Context) (level uint32, err error) {
	all, err := t.agreed(ctx, t.Nodes)
	for _, st := range all {
		level = max(level, st.Level)
	}
	return level, err
}

// restartAs restarts a node cleanly as a version, with which the level must not
// rise above most.
func (t *trial) restartAs(ctx context.Context, n *Node, binary string, most uint32) error {
	if err := n.Stop(); err != nil {
		return violation("%v", err)
	}
	n.become(binary)
	if err := n.Start(); err != nil {
		return err
	}
	if err := t.recovered(ctx); err != nil {
		return err
	}
	if level, err := t.level(ctx); err == nil && level > most {
		return violation("the site is at level %d while a node knows only %d", level, most)
	}
	t.pause(ctx, 200*time.Millisecond, 2*time.Second)
	return nil
}

// upgradeAll restarts all nodes with the next version. The level has to rise then,
// the command and the field of it have to be taken and kept, and the version
// before has to refuse a directory of it, untouched.
func (t *trial) upgradeAll(ctx context.Context, was uint32) error {
	for i, n := range t.Nodes {
		most := was
		if i == len(t.Nodes)-1 {
			most = ^uint32(0)
		}
		if err := t.restartAs(ctx, n, t.plan.Next, most); err != nil {
			return err
		}
	}
	if err := t.risen(ctx, was); err != nil {
		return violation("all nodes know the next version: %v", err)
	}
	for _, n := range t.Nodes { // the field comes back from what is on the disk
		n.Kill()
		if err := t.recovered(ctx); err != nil {
			return err
		}
	}
	if err := t.risen(ctx, was); err != nil {
		return violation("after a restart: %v", err)
	}
	n := t.Nodes[t.Draw.IntN(len(t.Nodes))]
	if err := n.Stop(); err != nil {
		return violation("%v", err)
	}
	n.become(t.plan.Binary)
	if err := t.refuses(ctx, n, "upgrade this node"); err != nil {
		return err
	}
	n.become(t.plan.Next)
	if err := n.Start(); err != nil {
		return err
	}
	return t.recovered(ctx)
}

// risen waits until all nodes are at a higher level than before and, where it is
// the trial's, until each has said since its last start what the field is.
func (t *trial) risen(ctx context.Context, was uint32) error {
	return until(ctx, startTimeout, func() error {
		all, err := t.agreed(ctx, t.Nodes)
		if err != nil {
			return err
		}
		for i, st := range all {
			if st.Level <= was {
				return fmt.Errorf("%s is at level %d: %s", st.Node, st.Level, st.LevelWaits)
			}
			if st.Level != uint32(fsm.TrialLevel) {
				continue
			}
			said := t.Nodes[i].Said(1 << 20)
			if !strings.Contains(said[max(0, strings.LastIndex(said, `msg="skerry runs"`)):], `msg="the trial field"`) {
				return fmt.Errorf("%s has not said what the field is", st.Node)
			}
		}
		return nil
	})
}
