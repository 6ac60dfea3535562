package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// Aggregate is what becomes of the readings of a window.
type Aggregate uint8

// Min, Max and Avg are of numbers, and of flags as 0 and 1; texts and bytes are
// left out of them. Count counts readings of every kind. Last is the reading
// with the latest time, of those the one with the highest seq.
const (
	Avg Aggregate = iota
	Min
	Max
	Count
	Last
)

// Aggregates are the names of the aggregates, by number.
var Aggregates = []string{Avg: "avg", Min: "min", Max: "max", Count: "count", Last: "last"}

// Bounds of a step.
const (
	MinStep = 1_000                       // microseconds
	MaxStep = 366 * 24 * 3600 * 1_000_000 // microseconds
)

// WindowQuery asks for one value for each window [t, t+Step) in which the
// series has readings with From <= time < To. t is a multiple of Step since
// 1970 UTC.
type WindowQuery struct {
	Device    string
	Resource  string
	From      int64 // microseconds since 1970 UTC, inclusive
	To        int64 // exclusive; math.MaxInt64 for no end
	Step      int64 // microseconds, MinStep to MaxStep
	Aggregate Aggregate
	Limit     int    // of windows, 1 to MaxLimit
	Cursor    string // WindowPage.Next of the page before, "" for the first
}

// Window is what became of a window's readings.
type Window struct {
	Start int64 // microseconds since 1970 UTC
	Count int   // readings that count
	Value fsm.Value
	Unit  string // with Last
}

// WindowPage is a part of an answer. Next is "" after the last one.
type WindowPage struct {
	Windows []Window
	Next    string
}

// Windows answers a query. It reads each file that may matter once and holds
// about twice the page. Errors: ErrMissing, ErrCursor, context errors.
func (v *View) Windows(ctx context.Context, q WindowQuery) (WindowPage, error) {
	return v.n.replica.windows(ctx, q)
}

func (r *replica) windows(ctx context.Context, q WindowQuery) (WindowPage, error) {
	if err := checkLimit(q.Limit); err != nil {
		return WindowPage{}, err
	}
	if q.Step < MinStep || q.Step > MaxStep || q.Aggregate > Last {
		return WindowPage{}, fmt.Errorf("step of %d microseconds, aggregate %d: out of range", q.Step, q.Aggregate)
	}
	from := q.From
	if q.Cursor != "" {
		start, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil {
			return WindowPage{}, fmt.Errorf("%w: %q", ErrCursor, q.Cursor)
		}
		from = max(from, start)
	}
	end, err := r.startQuery(ctx)
	if err != nil {
		return WindowPage{}, err
	}
	defer end()
	w := windower{q: &q, limit: q.Limit + 1, windows: map[int64]*window{}, end: math.MaxInt64}
	err = r.series(ctx, seriesAsk{
		Ask:    segment.Ask{Device: q.Device, Resource: q.Resource, From: from, To: q.To, Whole: q.Aggregate == Last},
		narrow: w.narrow,
		memory: w.row,
		run:    w.run,
	})
	if err != nil {
		return WindowPage{}, err
	}
	return w.page(), nil
}

// windower gathers the first limit windows of a series, whatever the order of
// its readings. The limit shrinks, to 2 at least, where their last readings have
// more than maxPageBytes.
//
// Invariant: no reading at end or later is wanted.
type windower struct {
	q       *WindowQuery
	limit   int
	windows map[int64]*window // by start
	end     int64             // microseconds since 1970 UTC
	now     *window           // of the reading before
	grown   bool              // since end was set
	bytes   int               // of texts and data among last readings since the last trim
}

// window is one in the making.
type window struct {
	start, until int64 // start <= time < until
	count        int
	min, max     float64
	sum          sum
	last         fsm.Reading
	lastAt       position // of last; its seq may be that of the part's first row
}

// at is the window of a time, nil for one that is not wanted.
func (w *windower) at(time int64) *window {
	if n := w.now; n != nil && n.start <= time && time < n.until {
		return n
	}
	if time >= w.end {
		return nil
	}
	start := time - time%w.q.Step
	if time < start {
		start -= w.q.Step
	}
	n := w.windows[start]
	if n == nil {
		if len(w.windows) >= 2*w.limit+64 {
			w.trim()
			if time >= w.end {
				return nil
			}
		}
		n = &window{start: start, until: start + w.q.Step, min: math.Inf(1), max: math.Inf(-1), lastAt: position{math.MinInt64, 0}}
		w.windows[start], w.grown = n, true
	}
	w.now = n
	return n
}

// trim leaves the windows that come first, and sets end where there are enough.
func (w *windower) trim() {
	if len(w.windows) >= w.limit && w.grown || w.bytes >= 2*maxPageBytes {
		w.cut()
	}
}

func (w *windower) cut() {
	starts := w.starts()
	w.bytes = 0
	for i, s := range starts {
		if w.bytes += payload(&w.windows[s].last.Value); w.bytes > maxPageBytes {
			w.limit = min(w.limit, max(i+1, 2))
			break
		}
	}
	if len(starts) < w.limit {
		return
	}
	for _, s := range starts[w.limit:] {
		delete(w.windows, s)
	}
	w.end = starts[w.limit-1] + w.q.Step
	w.now, w.grown = nil, false
}

func (w *windower) starts() []int64 {
	starts := make([]int64, 0, len(w.windows))
	for s := range w.windows {
		starts = append(starts, s)
	}
	slices.Sort(starts)
	return starts
}

func (w *windower) narrow(from, to int64) (int64, int64) {
	w.trim()
	return from, min(to, w.end)
}

// counts tells whether readings of a kind count.
func (w *windower) counts(kind fsm.Kind) bool {
	return w.q.Aggregate >= Count || kind == fsm.Number || kind == fsm.Flag
}

// row takes a row from memory.
func (w *windower) row(rows *fsm.Rows, names *fsm.Names, i int) {
	if !w.counts(rows.Kind[i]) {
		return
	}
	n := w.at(rows.Time[i])
	if n == nil {
		return
	}
	n.count++
	switch w.q.Aggregate {
	case Count:
	case Last:
		if p := (position{rows.Time[i], rows.First + fsm.Seq(i)}); n.lastAt.compare(p) < 0 {
			w.keep(n, p, rows.Reading(i, names))
		}
	default:
		n.add(rows.Kind[i], rows.Bits[i])
	}
}

// keep makes a reading the last of its window.
func (w *windower) keep(n *window, p position, x fsm.Reading) {
	n.lastAt, n.last = p, x
	if w.bytes += payload(&x.Value); w.bytes >= 2*maxPageBytes {
		w.trim()
	}
}

// run takes rows of a file, which ascend by time.
func (w *windower) run(run *segment.Run, cut fsm.Cut) bool {
	for i := 0; i < run.Len(); {
		if !w.counts(run.KindOf(i)) {
			i++
			continue
		}
		n := w.at(run.Time[i])
		if n == nil {
			return false
		}
		end := i + 1
		for end < run.Len() && run.Time[end] < n.until && w.counts(run.KindOf(end)) {
			end++
		}
		n.count += end - i
		switch w.q.Aggregate {
		case Count:
		case Last:
			// Later rows of this file win over earlier ones at the same time,
			// and files do not overlap in seq.
			if p := (position{run.Time[end-1], cut.First}); n.lastAt.compare(p) <= 0 {
				w.keep(n, p, run.Reading(end-1))
			}
		default:
			n.addRun(run, i, end)
		}
		i = end
	}
	return true
}

// addRun takes numbers and flags.
func (n *window) addRun(run *segment.Run, lo, hi int) {
	if run.Kind != fsm.Number {
		for i := lo; i < hi; i++ {
			n.add(run.KindOf(i), uint64(run.Bits[i]))
		}
		return
	}
	least, greatest := n.min, n.max
	for _, bits := range run.Bits[lo:hi] {
		x := math.Float64frombits(uint64(bits))
		least, greatest = min(least, x), max(greatest, x)
		n.sum.add(x)
	}
	n.min, n.max = least, greatest
}

// add takes a number or a flag.
func (n *window) add(kind fsm.Kind, bits uint64) {
	x := float64(bits) // of a flag
	if kind == fsm.Number {
		x = math.Float64frombits(bits)
	}
	n.min, n.max = min(n.min, x), max(n.max, x)
	n.sum.add(x)
}

// value is the window's for an aggregate.
func (n *window) value(a Aggregate) fsm.Value {
	switch a {
	case Min:
		return fsm.NumberValue(n.min)
	case Max:
		return fsm.NumberValue(n.max)
	case Count:
		return fsm.NumberValue(float64(n.count))
	case Last:
		return n.last.Value
	}
	// Rounding may not lead out of what was measured.
	return fsm.NumberValue(min(max(n.sum.mean(n.count), n.min), n.max))
}

// page is the answer when all is read.
func (w *windower) page() (p WindowPage) {
	w.cut()
	starts := w.starts()
	for i, s := range starts {
		n := w.windows[s]
		if len(p.Windows) == w.limit-1 {
			p.Next = strconv.FormatInt(starts[i], 10)
			break
		}
		p.Windows = append(p.Windows, Window{Start: s, Count: n.count, Value: n.value(w.q.Aggregate), Unit: n.last.Unit})
	}
	return p
}

// sum adds numbers with the error of one rounding, in whatever order they come
// (Neumaier, ZAMM 54, 1974), and does not overflow below 2^40 of them.
type sum struct {
	total, lost float64
	huge        float64 // sum of those beyond hugeNumber, divided by hugeUnit
}

const (
	hugeNumber = 0x1p900
	hugeUnit   = 0x1p40
)

func (s *sum) add(x float64) {
	if math.Abs(x) >= hugeNumber {
		s.huge += x / hugeUnit
		return
	}
	t := s.total + x
	if math.Abs(s.total) >= math.Abs(x) {
		s.lost += (s.total - t) + x
	} else {
		s.lost += (x - t) + s.total
	}
	s.total = t
}

func (s *sum) mean(n int) float64 {
	return (s.total+s.lost)/float64(n) + s.huge/float64(n)*hugeUnit
}
