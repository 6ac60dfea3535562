package task

import (
	"time"

	"skerry/fsm"
)

const (
	// MaxKept is the number of windows that stay open to corrections.
	MaxKept = 1440
	// Grace is how long after a window's end by the node's clock it is
	// emitted without a later reading: readings in flight arrive meanwhile.
	Grace = 2 * time.Second
	// maxEmit bounds the windows emitted in one command; with the longest
	// names their records stay under 128 KiB.
	maxEmit = 256
)

// tally is the state of a count: a function of the readings read so far and of
// the emissions made.
//
// Invariants: len(kept) <= MaxKept; kept[i] is window base+i; kept is empty
// before the first reading of the criterion's series.
type tally struct {
	criterion
	base    int64
	kept    []window
	current int64 // window of the last reading read, of any series but the own
	late    uint64
	skipped uint64
}

// window is one window's count.
type window struct {
	count   uint64
	rev     uint64 // of its last emission, 0 for none
	changed bool   // rev > 0 and the count is another one since
}

func (w *window) pending() bool { return w.rev == 0 || w.changed }

func newTally(spec fsm.TaskSpec) *tally { return &tally{criterion: newCriterion(spec)} }

// number is the window of a moment in microseconds since 1970.
func (t *tally) number(micros int64) int64 {
	n := micros / t.spec.Every
	if micros%t.spec.Every < 0 {
		n--
	}
	return n
}

func (t *tally) start(number int64) int64 { return number * t.spec.Every }

// add counts a reading. It returns false, and has not counted it, when windows
// must be emitted first, because they leave the kept ones for it.
func (t *tally) add(r *fsm.Reading) bool {
	if t.own(r) {
		return true
	}
	n := t.number(r.Received)
	t.current = n
	if !t.concerns(r) {
		return true
	}
	for i := range t.kept[:t.leaving(n)] {
		if t.kept[i].pending() {
			return false
		}
	}
	t.count(n, r)
	return true
}

// leaving is how many of the first kept windows make room when window n is
// reached.
func (t *tally) leaving(n int64) int {
	top := t.base + int64(len(t.kept)) - 1
	switch {
	case len(t.kept) == 0 || n <= top:
		return 0
	case n-top >= MaxKept:
		return len(t.kept)
	}
	return int(max(0, n-t.base+1-MaxKept))
}

// count reaches window n and counts a reading of the criterion's series in it.
func (t *tally) count(n int64, r *fsm.Reading) {
	if !t.reach(n) {
		t.late++
		return
	}
	if !t.holds(r.Value) {
		return
	}
	w := &t.kept[n-t.base]
	w.count++
	w.changed = w.rev > 0
}

// reach makes window n one of the kept ones; it returns false when n is older
// than these reach back.
func (t *tally) reach(n int64) bool {
	if len(t.kept) == 0 {
		t.base, t.kept = n, make([]window, 1)
		return true
	}
	top := t.base + int64(len(t.kept)) - 1
	switch {
	case n < t.base && top-n >= MaxKept:
		return false
	case n < t.base: // the leader's clock went back before the first window
		t.kept = append(make([]window, t.base-n), t.kept...)
		t.base = n
	case n-top >= MaxKept:
		t.skipped += uint64(n - top - 1)
		t.base, t.kept = n, make([]window, 1)
	case n > top:
		leaving := t.leaving(n)
		t.kept = append(t.kept, make([]window, n-top)...)[leaving:]
		t.base += int64(leaving)
	}
	return true
}

// passed tells whether window n may be emitted: a later one was seen, or
// everything received until the moment read was read and n had ended, with
// grace, by then.
func (t *tally) passed(n int64, read time.Time) bool {
	return n < t.current || !t.ripe(n).After(read)
}

// ripe is the moment from which window n may be emitted by the clock alone.
func (t *tally) ripe(n int64) time.Time {
	return time.UnixMicro(t.start(n + 1)).Add(Grace)
}

// due tells whether emit would give something.
func (t *tally) due(read time.Time) bool {
	for i := range t.kept {
		if t.kept[i].pending() && t.passed(t.base+int64(i), read) {
			return true
		}
	}
	return false
}

// nextRipe is the earliest moment at which a window waits for the clock; ok is
// false when none does.
func (t *tally) nextRipe() (at time.Time, ok bool) {
	for i := range t.kept {
		if t.kept[i].pending() {
			return t.ripe(t.base + int64(i)), true
		}
	}
	return time.Time{}, false
}

// emit gives the records of the windows that are due, oldest first, and raises
// their revisions. At most maxEmit windows go at once; the others stay due.
func (t *tally) emit(read time.Time) []fsm.Record {
	var out []fsm.Record
	for i := range t.kept {
		w := &t.kept[i]
		if !w.pending() || !t.passed(t.base+int64(i), read) {
			continue
		}
		w.rev++
		w.changed = false
		at := t.start(t.base + int64(i))
		out = append(out,
			t.record(t.spec.OutputResource, at, w.count),
			t.record(t.rev, at, w.rev))
		if len(out) == 2*maxEmit {
			break
		}
	}
	return out
}

func (t *tally) record(resource string, at int64, n uint64) fsm.Record {
	return fsm.Record{Device: t.spec.OutputDevice, Resource: resource, Time: at, Value: fsm.NumberValue(float64(n))}
}
