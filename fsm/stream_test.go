package fsm_test

import (
	"fmt"
	"testing"

	"skerry/fsm"
)

// shelf is a site with readings 1..20 closed in two cuts and 21..25 open.
func shelf(tb testing.TB) *replicas {
	tb.Helper()
	r := newReplicas(tb)
	for i := range 25 {
		if i == 10 || i == 20 {
			r.apply(fsm.CutCommand{})
		}
		r.post("d", float64(i))
	}
	return r
}

func TestSynced_MergesRanges(t *testing.T) {
	tests := []struct {
		name   string
		ranges []fsm.Interval
		want   string
		code   fsm.Code // of the last
	}{
		{"ranges that touch become one", []fsm.Interval{{First: 1, Last: 5}, {First: 6, Last: 9}}, "[{1 9}]", fsm.Stored},
		{"a range between two joins them", []fsm.Interval{{First: 1, Last: 3}, {First: 7, Last: 9}, {First: 4, Last: 6}}, "[{1 9}]", fsm.Stored},
		{"ranges apart stay apart, in order", []fsm.Interval{{First: 11, Last: 20}, {First: 1, Last: 3}}, "[{1 3} {11 20}]", fsm.Stored},
		{"a range may be told twice", []fsm.Interval{{First: 2, Last: 8}, {First: 4, Last: 6}}, "[{2 8}]", fsm.Stored},
		{"open rows cannot be synced", []fsm.Interval{{First: 15, Last: 21}}, "[]", fsm.BadRange},
		{"seq 0 is no row", []fsm.Interval{{First: 0, Last: 3}}, "[]", fsm.BadRange},
		{"a range does not end before it begins", []fsm.Interval{{First: 3, Last: 2}}, "[]", fsm.BadRange},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := shelf(t)
			var got fsm.Outcome
			for i, iv := range tt.ranges {
				got = r.one(fsm.SyncedCommand{First: iv.First, Last: iv.Last, Version: uint64(i + 1)}.InTerm(r.term))
			}
			if got.Code != tt.code {
				t.Errorf("got %+v, want code %d", got, tt.code)
			}
			if set := r.a.Synced(fsm.Readings); fmt.Sprint(set) != tt.want {
				t.Errorf("got %v, want %s", set, tt.want)
			}
			r.reopen()
		})
	}
}

func TestSynced_VersionDoesNotGoBack(t *testing.T) {
	r := shelf(t)
	r.one(fsm.SyncedCommand{First: 1, Last: 2, Version: 9}.InTerm(r.term))
	r.one(fsm.SyncedCommand{First: 3, Last: 4, Version: 8}.InTerm(r.term))
	if got := r.a.SyncVersion(fsm.Readings); got != 9 {
		t.Errorf("version is %d, want 9", got)
	}
	if got := r.a.Synced(fsm.Readings).Prefix(); got != 4 {
		t.Errorf("synced up to %d, want 4", got)
	}
}

func TestDuty_OfAnotherTermIsRefused(t *testing.T) {
	r := shelf(t)
	r.one(countTask("t", "*"))
	for _, cmd := range []fsm.DutyCommand{
		fsm.SyncedCommand{First: 1, Last: 2},
		fsm.GapCommand{First: 3, Last: 4, Reason: "disk full"},
		fsm.AssignRunCommand{Task: "t", Attempt: 1, Node: "n1", Lease: minute},
	} {
		for _, term := range []uint64{r.term - 1, r.term + 1} {
			if got := r.one(cmd.InTerm(term)); got.Code != fsm.WrongTerm {
				t.Errorf("%T of term %d in term %d: got %+v", cmd, term, r.term, got)
			}
		}
		if got := r.one(cmd.InTerm(r.term)); got.Code != fsm.Stored {
			t.Errorf("%T of the term: got %+v", cmd, got)
		}
	}
}

func TestGap_CountsRowsThatNeverReachTheTable(t *testing.T) {
	r := shelf(t)
	r.one(fsm.SyncedCommand{First: 1, Last: 5, Version: 1}.InTerm(r.term))
	tests := []struct {
		name        string
		first, last fsm.Seq
		want        fsm.Outcome
		count       uint64 // of the gap
	}{
		{"rows in the bucket are not counted", 4, 8, fsm.Outcome{Code: fsm.Stored, First: 1}, 3},
		{"rows dropped before are not counted", 4, 10, fsm.Outcome{Code: fsm.Stored, First: 2}, 2},
		{"the same gap again is known", 4, 8, fsm.Outcome{Code: fsm.Stored, First: 1, Known: true}, 3},
		{"a gap of nothing is refused", 2, 7, fsm.Outcome{Code: fsm.BadRange}, 0},
		{"open rows are not dropped", 18, 22, fsm.Outcome{Code: fsm.BadRange}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r.tb = t
			got := r.one(fsm.GapCommand{First: tt.first, Last: tt.last, Reason: "disk full"}.InTerm(r.term))
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got.Code == fsm.Stored {
				if g := r.a.Gaps()[got.First-1]; g.Count != tt.count || g.Seq != got.First {
					t.Errorf("got %+v, want count %d", g, tt.count)
				}
			}
			r.reopen()
		})
	}
}

func TestIntervalSet_AnswersForRanges(t *testing.T) {
	set := fsm.IntervalSet{}.With(fsm.Interval{First: 5, Last: 9}).With(fsm.Interval{First: 20, Last: 20})
	if got := set.Overlap(fsm.Interval{First: 8, Last: 30}); got != 3 {
		t.Errorf("overlap is %d, want 3", got)
	}
	if !set.Contains(fsm.Interval{First: 5, Last: 9}) || set.Contains(fsm.Interval{First: 9, Last: 10}) {
		t.Error("contains is wrong")
	}
	if got := set.Prefix(); got != 0 {
		t.Errorf("prefix is %d, want 0", got)
	}
}
