package fsm_test

import (
	"fmt"
	"testing"

	"skerry/fsm"
)

// windowOf is a site whose window takes n keys.
func windowOf(tb testing.TB, n uint64) *replicas {
	tb.Helper()
	return newReplicas(tb, func(g *fsm.Genesis) { g.WindowBytes = n * 48 })
}

func TestWindow_RefusesAtItsBound(t *testing.T) {
	r := windowOf(t, 3)
	for i := range 3 {
		if got := r.one(r.batch(item(fmt.Sprint(i), number("d", 1)))); got.Code != fsm.Stored {
			t.Fatalf("key %d: %+v", i, got)
		}
	}
	if got := r.one(r.batch(item("3", number("d", 1)))); got.Code != fsm.WindowFull {
		t.Errorf("got %+v, want code %d", got, fsm.WindowFull)
	}
	if got := r.one(r.batch(item("1", number("d", 1)))); !got.Known {
		t.Errorf("a known key got %+v", got)
	}
	if got := r.a.LastSeq(fsm.Readings); got != 3 {
		t.Errorf("%d readings are stored, want 3", got)
	}
}

func TestWindow_ShrinksToTheAgeOfBorn(t *testing.T) {
	r := windowOf(t, 3)
	for i := range 3 {
		r.one(r.batch(item(fmt.Sprint(i), number("d", 1))))
	}
	r.at(fsm.BornWithin)
	if got := r.one(r.batch(item("3", number("d", 1)))); got.Code != fsm.WindowFull {
		t.Errorf("inside the age of a copy: got %+v, want code %d", got, fsm.WindowFull)
	}
	r.at(31 * second)
	if got := r.one(r.batch(item("4", number("d", 1)))); got.Code != fsm.Stored {
		t.Errorf("past it: got %+v, want it stored", got)
	}
	if got := r.a.Remembered(); got != 1 {
		t.Errorf("%d keys are remembered, want 1", got)
	}
}

func TestWindow_AnswersTheSameHoweverItLies(t *testing.T) {
	r := newReplicas(t)
	const n = 3000
	for i := range n {
		r.one(r.batch(item(fmt.Sprint(i), number("d", float64(i)))))
		r.at(80_000) // 240 s in all
		if i%7 == 0 {
			r.b.Snapshot() // freezes a table of the second replica only
		}
		if i%1000 == 0 {
			r.reopen()
		}
	}
	for i := range n {
		got := r.one(r.batch(item(fmt.Sprint(i), number("d", float64(i)))))
		if want := (fsm.Outcome{Code: fsm.Stored, First: fsm.Seq(i + 1), Known: true}); got != want {
			t.Fatalf("key %d: got %+v, want %+v", i, got, want)
		}
	}
	r.at(fsm.KnownFor + 62*second)
	r.post("d", 1)
	if got := r.a.Remembered(); got != 1 {
		t.Errorf("%d keys are remembered, want 1", got)
	}
}

func TestWindow_DropsWholeGenerationsInTime(t *testing.T) {
	r := newReplicas(t)
	for i := range 600 { // ten minutes, one key a second
		r.post("d", float64(i))
		r.at(second)
		if got := r.a.Remembered(); got > (247+31+1) || i > 280 && got < 247 {
			t.Fatalf("after %d s %d keys are remembered", i, got)
		}
	}
}
