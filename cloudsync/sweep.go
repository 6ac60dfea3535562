package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"skerry/cloudsync/target"
	"skerry/cluster"
	"skerry/fsm"
)

// Limits of the search for orphans.
const (
	orphanGrace  = 24 * time.Hour   // how old a file must be
	sweepFirst   = 10 * time.Minute // from the begin of a term to its first search
	sweepEvery   = 6 * time.Hour    // between two searches, hence listings, of one table
	sweepCommits = 100              // commits read in a row; then shipping has its turn
	sweepMost    = 100              // files removed by one search of one table
	maxSeen      = 10 * sweepMost   // files whose age a search counts by itself
)

// sweeper is the search for the orphans of one table in one term: data files
// that no commit ever named, left by a leader that ended between a put and its
// commit.
//
// Invariant: a file is removed only if all its rows are settled, that is in the
// table by a commit, or dropped by a gap that is in its own table. Rows stay
// settled for ever, and no leader commits a file with a settled row: later ones
// read the same log and state, and earlier ones are fenced by this one's claim.
// So a removal that a deposed leader decided on, and that happens long after,
// takes nothing that anybody could name by then. The grace is for people who
// look for the cause; no clock has to be right.
type sweeper struct {
	due  time.Time            // of the next search, by the monotonic clock
	seen map[string]time.Time // first sight of orphans whose store tells no time
}

// sweep searches the tables that are due, or goes on reading their logs for it.
// It is called between rounds, so nothing of this term is on its way up.
// next is when it wants to be called again. What goes wrong is logged and tried
// again by the next search; an error is one of the log's end, after which this
// leader must not go on as it is.
func (x *session) sweep(ctx context.Context) (next time.Duration, err error) {
	next = sweepEvery
	for stream, t := range x.tables {
		sw := &x.s.sweepers[stream]
		if wait := time.Until(sw.due); wait > 0 {
			next = min(next, wait)
			continue
		}
		whole, err := t.named.read(ctx, t, sweepCommits)
		if err == nil && !whole {
			next = roundPause
			continue
		}
		if err == nil {
			err = x.removeOrphans(ctx, t, sw)
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		sw.due = time.Now().Add(sweepEvery)
		if end := (*endError)(nil); errors.As(err, &end) {
			return 0, end.error
		}
		if err != nil {
			x.s.cfg.Log.Warn("look for files that no commit names", "table", t.stream.String(), "again", sweepEvery, "err", err)
		}
	}
	return next, nil
}

// endError is an error met while the end of a log was read.
type endError struct{ error }

// removeOrphans lists a table's files once and removes its orphans. The error
// is the first one of a removal; the others are tried all the same.
func (x *session) removeOrphans(ctx context.Context, t *table, sw *sweeper) error {
	settled, err := x.settled(ctx, t)
	if err != nil {
		return err
	}
	orphans, err := sw.find(ctx, t, settled)
	if err != nil {
		return err
	}
	var bytes int64
	var removed, failed int
	var first error
	for _, o := range orphans {
		gone, err := t.removeOrphan(ctx, o.Name)
		if end := (*endError)(nil); errors.As(err, &end) || ctx.Err() != nil {
			return err
		}
		switch {
		case err != nil:
			if failed++; first == nil {
				first = err
			}
		case gone:
			removed++
			bytes += o.Size
			x.s.swept(t)
		}
	}
	if removed > 0 {
		x.s.cfg.Log.Info("removed files that no commit names", "table", t.stream.String(), "files", removed, "bytes", bytes)
	}
	if first != nil {
		return fmt.Errorf("%d of %d files: %w", failed, len(orphans), first)
	}
	return nil
}

// settled are the rows of a table that nobody will ship any more.
func (x *session) settled(ctx context.Context, t *table) (fsm.IntervalSet, error) {
	rows := t.named.covered
	if t.stream == fsm.Gaps {
		return rows, nil
	}
	view, err := x.s.node.View(ctx, cluster.Local)
	if err != nil {
		return nil, err
	}
	for _, g := range view.Gaps(0) {
		if g.Stream == t.stream && x.tables[fsm.Gaps].has.Contains(fsm.Interval{First: g.Seq, Last: g.Seq}) {
			rows = rows.With(fsm.Interval{First: g.First, Last: g.Last})
		}
	}
	return rows, nil
}

// find lists the orphans of settled rows that are older than the grace, at most
// sweepMost. Their age is the store's word or, where it gives none, the time
// since this leader first saw them.
func (sw *sweeper) find(ctx context.Context, t *table, settled fsm.IntervalSet) ([]target.Object, error) {
	var orphans []target.Object
	now, seen := time.Now(), map[string]time.Time{}
	err := t.bucket.List(ctx, t.prefix+"data/", "", func(o target.Object) error {
		name := o.Name[len(t.prefix):]
		f, own := parseFileName(name)
		if !own || f.rows.First < 1 || f.rows.First > f.rows.Last || !settled.Contains(f.rows) || t.named.has(name) {
			return nil
		}
		since := o.Modified
		if since.IsZero() {
			var known bool
			if since, known = sw.seen[name]; !known {
				since = now
			}
			if len(seen) < maxSeen {
				seen[name] = since
			}
		}
		if now.Sub(since) >= orphanGrace && len(orphans) < sweepMost {
			orphans = append(orphans, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sw.seen = seen
	return orphans, nil
}

// removeOrphan removes an object unless a commit has named it since it was
// listed, or a later leader has claimed the table (ErrFenced).
func (t *table) removeOrphan(ctx context.Context, object string) (gone bool, err error) {
	if err := t.advance(ctx); err != nil {
		return false, &endError{err}
	}
	whole, err := t.named.read(ctx, t, sweepCommits)
	if err != nil || !whole || t.named.has(object[len(t.prefix):]) {
		return false, err
	}
	if err := t.bucket.Delete(ctx, object); err != nil {
		return false, fmt.Errorf("remove %s: %w", object, err)
	}
	return true, nil
}
