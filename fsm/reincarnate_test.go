package fsm_test

import (
	"testing"

	"skerry/fsm"
)

// reincarnate restores a site from its own snapshot.
func reincarnate(r *replicas, lineage byte) {
	r.a.Reincarnate([16]byte{lineage})
	r.b.Reincarnate([16]byte{lineage})
}

func TestReincarnate_KeepsWhereEachHistoryParted(t *testing.T) {
	r := newReplicas(t)
	r.post("pump-1", 1)
	r.post("pump-1", 2)
	r.one(frame("frame 1", r.h.LogTime, 1000))
	reincarnate(r, 2)
	if got := r.a.Level(); got < 2 {
		t.Errorf("level %d, whose snapshots do not keep it", got)
	}
	r.post("pump-1", 3)
	reincarnate(r, 3)
	r.post("pump-1", 4)
	for _, s := range []*fsm.State{r.a, restore(t, snapshot(t, r.a))} {
		for _, c := range []struct {
			incarnation uint64
			of          fsm.Stream
			want        fsm.Seq
		}{
			{1, fsm.Readings, 2}, {1, fsm.Frames, 1}, {1, fsm.Gaps, 0},
			{2, fsm.Readings, 3}, {2, fsm.Frames, 1},
			{3, fsm.Readings, 1<<64 - 1},
			{0, fsm.Readings, 0}, {4, fsm.Readings, 0},
		} {
			if got := s.SharedUpTo(c.incarnation, c.of); got != c.want {
				t.Errorf("with incarnation %d %s are shared up to %d, want %d", c.incarnation, c.of, got, c.want)
			}
		}
	}
}

// The history before may have closed the same rows, and no other, in the bucket.
func TestReincarnate_NoCutHasRowsOfTwoHistories(t *testing.T) {
	r := newReplicas(t)
	r.post("pump-1", 1)
	r.post("pump-1", 2)
	r.one(frame("frame 1", r.h.LogTime, 1000))
	reincarnate(r, 2)
	r.post("pump-1", 3)
	r.one(frame("frame 2", r.h.LogTime, 1000))
	r.apply(fsm.CutCommand{})
	for of, want := range [][]fsm.Interval{fsm.Readings: {{1, 2}, {3, 3}}, fsm.Frames: {{1, 1}, {2, 2}}} {
		cuts := r.a.Cuts(fsm.Stream(of))
		if len(cuts) != len(want) {
			t.Fatalf("cuts of %s are %v, want %v", fsm.Stream(of), cuts, want)
		}
		for i, c := range cuts {
			if (fsm.Interval{First: c.First, Last: c.Last}) != want[i] {
				t.Errorf("cut %d of %s is %d to %d, want %v", i, fsm.Stream(of), c.First, c.Last, want[i])
			}
		}
	}
}
