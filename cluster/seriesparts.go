package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// seriesAsk reads one series from all parts of the history. Order between
// parts is by their times, not by those of readings: parts overlap where
// devices send late.
type seriesAsk struct {
	segment.Ask
	// narrow tells what of a range of times is still wanted.
	narrow func(from, to int64) (int64, int64)
	// memory takes row i, in seq order.
	memory func(rows *fsm.Rows, names *fsm.Names, i int)
	// run takes rows of the file of a cut; false for no more of this file.
	run func(*segment.Run, fsm.Cut) bool
}

// span is what a part may hold.
type span struct {
	cut    fsm.Cut
	until  fsm.Seq // as of a part
	time   segment.Range
	device segment.NameRange
}

func (s *span) mayHold(ask *segment.Ask) bool {
	return s.time.Min < ask.To && ask.From <= s.time.Max && s.device.Min <= ask.Device && ask.Device <= s.device.Max
}

// series reads what is asked for. Errors: ErrMissing, those of ctx and files.
func (r *replica) series(ctx context.Context, ask seriesAsk) error {
	h := r.history(fsm.Readings, 1)
	ask.After = max(h.erased.Of(fsm.Readings, ask.Device), h.kept-1)
	// What is in memory comes first: it costs no reading and narrows the rest.
	var spans []span
	for _, p := range h.closed {
		if p.until <= ask.After {
			continue
		}
		if p.memory != nil {
			ask.ofMemory(&p.memory.Rows, &p.memory.Names)
			continue
		}
		s, err := r.spanOf(p.cut)
		if err != nil {
			return fmt.Errorf("readings %d to %d: %w", p.cut.First, p.cut.Last, err)
		}
		s.until = p.until
		if s.mayHold(&ask.Ask) {
			spans = append(spans, s)
		}
	}
	ask.ofMemory(&h.head, &h.names)
	slices.SortStableFunc(spans, func(a, b span) int {
		if ask.Descending {
			return cmp.Compare(b.time.Max, a.time.Max)
		}
		return cmp.Compare(a.time.Min, b.time.Min)
	})
	for i := range spans {
		if err := ctx.Err(); err != nil {
			return err
		}
		ask.From, ask.To = ask.narrow(ask.From, ask.To)
		if !spans[i].mayHold(&ask.Ask) {
			continue
		}
		ask.Until = spans[i].until
		if err := r.runs(ctx, spans[i].cut, &ask); err != nil {
			return fmt.Errorf("readings %d to %d: %w", spans[i].cut.First, spans[i].cut.Last, err)
		}
	}
	return nil
}

func (r *replica) runs(ctx context.Context, cut fsm.Cut, ask *seriesAsk) error {
	return r.withSegment(fsm.Readings, cut, func(seg *segment.Segment) error {
		return seg.Runs(ctx, ask.Ask, func(run *segment.Run) bool { return ask.run(run, cut) })
	})
}

// ofMemory hands on the rows asked for. They are in seq order.
func (a *seriesAsk) ofMemory(rows *fsm.Rows, names *fsm.Names) {
	if rows.Len() == 0 {
		return
	}
	id := slices.Index(names.Series, fsm.SeriesName{Device: a.Device, Resource: a.Resource})
	if id < 0 {
		return
	}
	a.From, a.To = a.narrow(a.From, a.To)
	for i, s := range rows.Series {
		if s == uint32(id) && rows.First+fsm.Seq(i) > a.After && a.From <= rows.Time[i] && rows.Time[i] < a.To {
			a.memory(rows, names, i)
		}
	}
}

// spanOf is what the file of a part of the readings may hold; the file is opened
// only if it never was.
func (r *replica) spanOf(cut fsm.Cut) (span, error) {
	h := r.segments.exact(fsm.Readings, cut)
	stats, err := segment.Stats{}, error(nil)
	if h != nil {
		stats, err = r.segments.statsOf(h)
	} else {
		stats, err = r.borrows.statsOf(cut)
	}
	return span{cut: cut, time: stats.Time, device: stats.Device}, err
}
