package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"skerry/cloudsync/delta"
	"skerry/cluster"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// ErrAhead: the table has rows that the site has not closed, so the site lost
// some of its history.
var ErrAhead = errors.New("the bucket has rows that this site does not: restore the site, or take another --site")

// errNoFile: this node has no file of a cut yet.
var errNoFile = errors.New("the segment is not written yet")

// session is the shipping of one leader from a claim to the first error.
type session struct {
	s      *Syncer
	lead   Proposer
	tables [3]*table // by stream
}

// round ships all that is closed: gaps first, because a commit of readings that
// steps over a gap must find it in its table.
func (x *session) round(ctx context.Context) error {
	if err := x.s.node.Alarm(); err != nil {
		return err
	}
	for _, t := range x.tables {
		if err := x.mark(ctx, t); err != nil {
			return err
		}
	}
	view, err := x.s.node.View(ctx, cluster.Local)
	if err != nil {
		return err
	}
	if err := x.shipGaps(ctx, view); err != nil {
		return err
	}
	gaps := view.Gaps(0)
	waiting := x.shipCuts(ctx, view, fsm.Readings, droppedOf(gaps, fsm.Readings))
	if waiting != nil && !errors.Is(waiting, errNoFile) {
		return waiting
	}
	if err := x.shipCuts(ctx, view, fsm.Frames, droppedOf(gaps, fsm.Frames)); err != nil {
		return err
	}
	return waiting
}

// mark proposes what the table has and the site's state does not know yet.
func (x *session) mark(ctx context.Context, t *table) error {
	view, err := x.s.node.View(ctx, cluster.Local)
	if err != nil {
		return err
	}
	synced, _ := view.Synced(t.stream)
	for _, r := range minus(t.has, synced) {
		err := propose(ctx, x.lead, fsm.SyncedCommand{Stream: t.stream, First: r.First, Last: r.Last, Version: t.shipped})
		if errors.Is(err, fsm.Refusal(fsm.BadRange)) {
			return fmt.Errorf("%s %d to %d: %w", t.stream, r.First, r.Last, ErrAhead)
		}
		if err != nil {
			return fmt.Errorf("mark %s %d to %d: %w", t.stream, r.First, r.Last, err)
		}
	}
	return nil
}

// shipCuts ships the cuts of a stream in order. dropped are rows that are in
// no file.
func (x *session) shipCuts(ctx context.Context, view View, stream fsm.Stream, dropped fsm.IntervalSet) error {
	t := x.tables[stream]
	settled := t.has
	for _, r := range dropped {
		settled = settled.With(r)
	}
	cuts := view.Cuts(stream, settled.Prefix()+1)
	for _, cut := range cuts {
		all := fsm.Interval{First: cut.First, Last: cut.Last}
		switch n := settled.Overlap(all); {
		case n == uint64(cut.Rows()):
			continue
		case n > 0:
			return fmt.Errorf("%w: of %s %d to %d, which go up as one file, %d rows are in the table or dropped already", ErrLog, stream, cut.First, cut.Last, n)
		}
		if err := x.shipCut(ctx, t, cut, cuts[len(cuts)-1].Last); err != nil {
			return err
		}
	}
	return nil
}

// shipCut ships one cut: this node's own file as it is, or the cut's rows out of
// a larger one.
func (x *session) shipCut(ctx context.Context, t *table, cut fsm.Cut, closed fsm.Seq) error {
	path, ok := x.s.node.SegmentFile(t.stream, cut)
	if !ok {
		var err error
		if path, err = takeOut(ctx, x.s.node, t.stream, cut); err != nil {
			return err
		}
		defer func() { _ = os.Remove(path) }() // it lies where such files are cleared away
	}
	x.s.enter(Shipping)
	f, err := segmentFile(ctx, path, t.stream, cut)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoFile // dropped or merged since the state was read
	}
	if errors.Is(err, segment.ErrDamaged) {
		x.s.node.SuspectSegment(t.stream, cut)
	}
	if err != nil {
		return err
	}
	return x.ship(ctx, t, f, closed)
}

// shipGaps ships the gaps that are not in their table.
func (x *session) shipGaps(ctx context.Context, view View) error {
	t := x.tables[fsm.Gaps]
	for {
		gaps := view.Gaps(t.has.Prefix())
		if len(gaps) == 0 {
			return nil
		}
		f, err := gapsFile(gaps[:min(len(gaps), maxGaps)], time.Now())
		if err != nil {
			return err
		}
		err = x.ship(ctx, t, f, gaps[len(gaps)-1].Seq)
		_ = os.Remove(f.path)
		if err != nil {
			return err
		}
	}
}

// ship uploads a file, commits it and marks it. closed is the end of what is
// closed in the stream.
func (x *session) ship(ctx context.Context, t *table, f *file, closed fsm.Seq) error {
	began := time.Now()
	if err := f.upload(ctx, x.s.bucket, t.prefix); err != nil {
		return fmt.Errorf("ship %s %d to %d: %w", t.stream, f.first, f.last, err)
	}
	// The log is read again after the upload, which may have taken long.
	if err := t.advance(ctx); err != nil {
		return err
	}
	for !t.has.Contains(fsm.Interval{First: f.first, Last: f.last}) {
		c, err := t.shipment(f, closed)
		if err != nil {
			return err
		}
		if _, err := t.put(ctx, c); err != nil {
			return err
		}
	}
	x.s.shipped(t)
	x.s.cfg.Log.Debug("shipped", "table", t.stream.String(), "commit", t.version, "first", f.first, "last", f.last,
		"bytes", f.size, "took", time.Since(began))
	return x.mark(ctx, t)
}

// shipment is the commit that adds a file.
func (t *table) shipment(f *file, closed fsm.Seq) (*delta.Commit, error) {
	now := time.Now()
	add, err := f.add()
	if err != nil {
		return nil, err
	}
	c := t.commit(now, "WRITE")
	c.Info.OperationParameters["mode"] = "Append"
	own := c.Info.Skerry
	own.Range = &delta.Range{First: uint64(f.first), Last: uint64(f.last)}
	if f.last < closed {
		own.Pending = append(own.Pending, delta.Range{First: uint64(f.last + 1), Last: uint64(closed)})
	}
	c.Txns = []delta.Txn{{AppID: t.me.site, Version: own.Commit, LastUpdated: now.UnixMilli()}}
	c.Adds = []delta.Add{add}
	return c, nil
}
