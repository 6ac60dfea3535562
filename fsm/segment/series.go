package segment

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"sort"

	"skerry/fsm"
)

// Series calls f for the readings of one series with from <= time < to
// (microseconds since 1970 UTC), by time, then seq, until f returns false. It
// reads the pages that may hold them and no others. The readings are the
// caller's. Errors: ErrDamaged, those of ctx and of the file.
func (s *Segment) Series(ctx context.Context, device, resource string, from, to int64, f func(fsm.Reading) bool) error {
	ask := Ask{Device: device, Resource: resource, From: from, To: to, Whole: true}
	return s.Runs(ctx, ask, func(r *Run) bool {
		for i := range r.Len() {
			if !f(r.Reading(i)) {
				return false
			}
		}
		return true
	})
}

// want is what Runs looks for.
type want struct {
	device, resource string
	from, to         int64
}

func (w *want) mayBeIn(s *Stats) bool {
	return s.Device.Min <= w.device && w.device <= s.Device.Max &&
		s.Resource.Min <= w.resource && w.resource <= s.Resource.Max &&
		s.Time.Min < w.to && w.from <= s.Time.Max
}

// mayBeInPage judges by the column index.
func (w *want) mayBeInPage(r *groupReader, page int) bool {
	within := func(c int, name string) bool {
		b := &r.columns[c].bounds
		return bytes.Compare(b.MinValues[page], []byte(name)) <= 0 && bytes.Compare([]byte(name), b.MaxValues[page]) <= 0
	}
	t := &r.columns[colTime].bounds
	return within(colDevice, w.device) && within(colResource, w.resource) &&
		int64Of(t.MinValues[page]) < w.to && w.from <= int64Of(t.MaxValues[page])
}

// find is the range of a page's rows that are wanted. It reads the columns by
// which rows are sorted.
func (w *want) find(r *groupReader, b *batch, page int) (lo, hi int, err error) {
	if w.inside(r, page) {
		return 0, r.rows(colSeq, page), nil
	}
	for _, c := range []int{colDevice, colResource, colTime} {
		if b.at[c], err = r.page(c, page); err != nil {
			return 0, 0, err
		}
	}
	time := b.at[colTime].ints
	order := func(i int, t int64) int {
		return cmp.Or(cmp.Compare(b.device(i), w.device), cmp.Compare(b.resource(i), w.resource), cmp.Compare(time[i], t))
	}
	n := b.at[colTime].rows
	lo = sort.Search(n, func(i int) bool { return order(i, w.from) >= 0 })
	hi = lo + sort.Search(n-lo, func(i int) bool { return order(lo+i, w.to) >= 0 })
	return lo, hi, nil
}

// reading is row i, whose names are known.
func (b *batch) reading(i int, w *want) fsm.Reading {
	r := fsm.Reading{
		Seq: fsm.Seq(b.at[colSeq].ints[i]), Device: w.device, Resource: w.resource, Unit: b.unit(i),
		Time: b.at[colTime].ints[i], Received: b.at[colReceived].ints[i],
	}
	switch b.kinds[i] {
	case fsm.Number:
		r.Value = fsm.NumberValue(math.Float64frombits(b.bits(i)))
	case fsm.Flag:
		r.Value = fsm.FlagValue(b.bits(i) != 0)
	case fsm.Text:
		r.Value = fsm.TextValue(string(b.blob(i)))
	case fsm.Data:
		r.Value = fsm.DataValue(bytes.Clone(b.blob(i)))
	}
	return r
}
