package cloudsync

import (
	"context"
	"fmt"

	"skerry/cluster"
	"skerry/fsm"
)

// Sync closes what is open and returns when the tables have all that was
// acknowledged before the call. It works at any node; at the leader it also
// ends a pause after an error, and returns the error if it comes again.
//
// Errors: those of Propose, what stops the shipping, and ctx's own with the
// duty's last error where this node leads.
func (s *Syncer) Sync(ctx context.Context) error {
	if err := propose(ctx, s.node, fsm.CutCommand{}); err != nil {
		return fmt.Errorf("close what is open: %w", err)
	}
	view, err := s.node.View(ctx, cluster.Linearizable)
	if err != nil {
		return err
	}
	goal := goalOf(view)
	before, _ := s.now()
	s.wish()
	for {
		applied := s.node.Applied()
		now, changed := s.now()
		view, err := s.node.View(ctx, cluster.Local)
		if err != nil {
			return err
		}
		if goal.reached(view) {
			return nil
		}
		if now.state == Stopped && now.attempts > before.attempts {
			return fmt.Errorf("shipping has stopped: %w", now.err)
		}
		select {
		case <-ctx.Done():
			if now.err != nil {
				return fmt.Errorf("%w; shipping last failed with: %w", ctx.Err(), now.err)
			}
			return ctx.Err()
		case <-applied:
		case <-changed:
		}
	}
}

// goal is the last closed seq of each stream.
type goal [3]fsm.Seq

func goalOf(view View) goal {
	var g goal
	for _, stream := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		for _, cut := range view.Cuts(stream, settled(view, stream).Prefix()+1) {
			g[stream] = cut.Last
		}
	}
	for _, gap := range view.Gaps(0) {
		g[fsm.Gaps] = gap.Seq
	}
	return g
}

func (g goal) reached(view View) bool {
	for stream, last := range g {
		if settled(view, fsm.Stream(stream)).Prefix() < last {
			return false
		}
	}
	return true
}
