package segment

import (
	"bytes"
	"context"
	"math"

	"skerry/fsm"
)

// Ask says which rows Runs is to find and what of them it is to read.
type Ask struct {
	Device, Resource string
	From, To         int64 // From <= time < To, microseconds since 1970 UTC
	// After leaves out rows up to a seq.
	After fsm.Seq
	// Until leaves out rows after a seq; 0 leaves out none.
	Until fsm.Seq
	// Descending asks for the latest run first. Rows inside a run ascend all
	// the same.
	Descending bool
	// Whole asks for all columns, so that Run.Reading works. Without it a run has
	// times, kinds, numbers and flags: a fraction of the bytes and of the work.
	Whole bool
}

// Run is rows of one series that stand together in a page, by time, then seq.
// Everything in it is valid during the call only.
type Run struct {
	Time []int64 // microseconds since 1970 UTC
	Bits []int64 // IEEE 754 bits of a number, 0 or 1 of a flag, 0 of others
	// Kind is that of all rows. Where it is 0 they differ, and Kinds has each one's.
	Kind  fsm.Kind
	Kinds []fsm.Kind

	lo int
	b  *batch
	w  *want
}

// Len is the number of rows.
func (r *Run) Len() int { return len(r.Time) }

// KindOf is the kind of row i.
func (r *Run) KindOf(i int) fsm.Kind {
	if r.Kind != 0 {
		return r.Kind
	}
	return r.Kinds[i]
}

// Number is row i, which holds a number.
func (r *Run) Number(i int) float64 { return math.Float64frombits(uint64(r.Bits[i])) }

// Reading is row i of a run that was asked for whole. It is the caller's.
func (r *Run) Reading(i int) fsm.Reading { return r.b.reading(r.lo+i, r.w) }

// Runs calls f for the rows that are asked for until f returns false. It reads
// the pages that may hold them and no others. Errors: ErrDamaged, those of ctx
// and of the file.
func (s *Segment) Runs(ctx context.Context, ask Ask, f func(*Run) bool) (err error) {
	defer rescue(&err)
	if s.meta.Stream != fsm.Readings {
		return ErrStream
	}
	w := want{device: ask.Device, resource: ask.Resource, from: ask.From, to: ask.To}
	for n := range s.groups {
		g := &s.groups[turned(n, len(s.groups), ask.Descending)]
		if !w.mayBeIn(&g.stats) || g.stats.Seq.Max <= int64(ask.After) || !ask.until(g.stats.Seq.Min) {
			continue
		}
		more, err := s.runsInGroup(ctx, g, &ask, &w, f)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// until tells whether a seq is not after Until.
func (a *Ask) until(seq int64) bool { return a.Until == 0 || seq <= int64(a.Until) }

// turned is the position of the i-th of n, from the end where descending.
func turned(i, n int, descending bool) int {
	if descending {
		return n - 1 - i
	}
	return i
}

func (s *Segment) runsInGroup(ctx context.Context, g *group, ask *Ask, w *want, f func(*Run) bool) (more bool, err error) {
	r, err := s.reader(g)
	if err != nil {
		return false, err
	}
	if err := r.aligned(); err != nil {
		return false, err
	}
	var b batch
	run := Run{b: &b, w: w}
	pages := len(r.columns[colSeq].pages)
	for n := range pages {
		page := turned(n, pages, ask.Descending)
		if !w.mayBeInPage(r, page) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		lo, hi, err := w.find(r, &b, page)
		if err != nil {
			return false, err
		}
		if lo == hi {
			continue
		}
		if ask.Whole {
			err = r.batch(&b, page)
		} else {
			err = r.values(&b, page)
		}
		if err != nil {
			return false, err
		}
		more, err = run.each(lo, hi, r, page, ask, f)
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// each calls f for the stretches of a page's rows lo to hi whose seqs are asked
// for.
func (r *Run) each(lo, hi int, g *groupReader, page int, ask *Ask, f func(*Run) bool) (more bool, err error) {
	if int64(ask.After) < g.g.stats.Seq.Min && ask.until(g.g.stats.Seq.Max) {
		r.set(lo, hi)
		return f(r), nil
	}
	v, err := g.page(colSeq, page)
	if err != nil {
		return false, err
	}
	wanted := func(i int) bool { return v.ints[i] > int64(ask.After) && ask.until(v.ints[i]) }
	for lo < hi {
		var from, to int // of the next stretch
		if ask.Descending {
			for to = hi; to > lo && !wanted(to-1); {
				to--
			}
			for from = to; from > lo && wanted(from-1); {
				from--
			}
			hi = from
		} else {
			for from = lo; from < hi && !wanted(from); {
				from++
			}
			for to = from; to < hi && wanted(to); {
				to++
			}
			lo = to
		}
		if from == to {
			continue
		}
		if r.set(from, to); !f(r) {
			return false, nil
		}
	}
	return true, nil
}

// set makes the run rows lo to hi of its batch.
func (r *Run) set(lo, hi int) {
	b := r.b
	r.lo, r.Time = lo, b.at[colTime].ints[lo:hi]
	r.Kind = b.kinds[lo]
	for _, k := range b.kinds[lo:hi] {
		if k != r.Kind {
			r.Kind = 0
			break
		}
	}
	r.Kinds = b.kinds[lo:hi]
	switch r.Kind {
	case fsm.Number, fsm.Flag:
		r.Bits = b.at[columnOf(r.Kind)].ints[lo:hi]
		return
	}
	r.Bits = make([]int64, hi-lo)
	for i := range r.Bits {
		if k := r.Kinds[i]; k == fsm.Number || k == fsm.Flag {
			r.Bits[i] = int64(b.bits(lo + i))
		}
	}
}

// values reads what a run without whole rows has: times and, of the columns of
// values, no more than tell what kind each row is.
func (r *groupReader) values(b *batch, page int) error {
	b.rows = r.rows(colSeq, page)
	for c := range b.at {
		b.at[c] = nil
	}
	var err error
	if b.at[colTime], err = r.page(colTime, page); err != nil {
		return err
	}
	for c, kind := range kindOf {
		if kind == 0 || r.empty(c) {
			continue
		}
		if b.at[c], err = r.page(c, page); err != nil {
			return err
		}
		if b.at[c].nulls == 0 { // the other columns have nothing in this page
			b.kinds = resize(b.kinds, b.rows)
			for i := range b.kinds {
				b.kinds[i] = kind
			}
			return nil
		}
	}
	return b.setKinds()
}

// inside tells, by the column index, that all rows of a page are wanted.
func (w *want) inside(r *groupReader, page int) bool {
	all := func(c int, name string) bool {
		b := &r.columns[c].bounds
		return bytes.Equal(b.MinValues[page], []byte(name)) && bytes.Equal(b.MaxValues[page], []byte(name))
	}
	t := &r.columns[colTime].bounds
	return all(colDevice, w.device) && all(colResource, w.resource) &&
		w.from <= int64Of(t.MinValues[page]) && int64Of(t.MaxValues[page]) < w.to
}
