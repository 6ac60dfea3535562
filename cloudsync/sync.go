package cloudsync

import (
	"context"
	"fmt"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// patience is how long a Sync sees no progress before it returns the duty's
// error, if there is one, or that the site has no leader. Shipping goes on
// trying all the same.
const patience = 15 * time.Second

// Sync closes what is open and returns when the tables have all that was
// acknowledged before the call. It works at any node; at the leader it also
// ends a pause after an error, and returns the error if it comes again: at once
// where somebody must mend its cause, else after some patience.
//
// Errors: those of Propose, what stops the shipping or keeps it from going on,
// and ctx's own with the duty's last error where this node leads.
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
	left, tired := goal.left(view), time.NewTimer(patience)
	defer tired.Stop()
	for {
		applied := s.node.Applied()
		now, changed := s.now()
		view, err := s.node.View(ctx, cluster.Local)
		if err != nil {
			return err
		}
		rest := goal.left(view)
		if rest == 0 {
			return nil
		}
		if rest < left {
			left = rest
			tired.Reset(patience)
		}
		if now.state == Stopped && now.attempts > before.attempts {
			return fmt.Errorf("shipping has stopped: %w", now.err)
		}
		select {
		case <-ctx.Done():
			if now.err != nil {
				return fmt.Errorf("%w; shipping last failed with: %w", ctx.Err(), now.err)
			}
			return fmt.Errorf("the bucket lacks %d rows yet, skerry cloud status at the leader says why: %w", rest, ctx.Err())
		case <-tired.C:
			if now.err != nil && now.attempts > before.attempts {
				return fmt.Errorf("shipping makes no progress and goes on trying, %d rows are left: %w", rest, now.err)
			}
			if _, err := s.node.View(ctx, cluster.Linearizable); err != nil {
				return fmt.Errorf("%d rows are left to ship: %w", rest, err) // nobody leads, so nobody ships
			}
			tired.Reset(patience)
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

// left is how many rows of the goal the tables lack.
func (g goal) left(view View) uint64 {
	var n uint64
	for stream, last := range g {
		n += rows(minus(upTo(last), settled(view, fsm.Stream(stream))))
	}
	return n
}
