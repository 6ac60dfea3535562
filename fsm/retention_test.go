package fsm_test

import (
	"fmt"
	"testing"

	"skerry/fsm"
)

// stack is a site of the newest level with readings 1..30 closed in three cuts,
// 31..35 open, and frames 1..4 closed in two.
func stack(tb testing.TB) *replicas {
	tb.Helper()
	r := raised(newReplicas(tb))
	for i := range 35 {
		if i > 0 && i%10 == 0 {
			r.at(minute)
			r.apply(fsm.CutCommand{})
		}
		if i == 5 || i == 15 {
			r.apply(frame(fmt.Sprint("a", i), r.h.LogTime, 100))
			r.apply(frame(fmt.Sprint("b", i), r.h.LogTime, 100))
		}
		r.post("d", float64(i))
	}
	return r
}

func (r *replicas) synced(of fsm.Stream, first, last fsm.Seq) {
	r.tb.Helper()
	if o := r.one(fsm.SyncedCommand{Stream: of, First: first, Last: last}.InTerm(r.term)); o.Code != fsm.Stored {
		r.tb.Fatalf("%s %d to %d were not marked: %v", of, first, last, o.Code.Err())
	}
}

func TestRetain_DropsWholeCutsAndMakesAGapOfWhatTheBucketLacks(t *testing.T) {
	tests := []struct {
		name    string
		synced  []fsm.Interval
		from    fsm.Seq
		reason  string
		code    fsm.Code
		dropped bool
		gaps    string // first last count
	}{
		{"what the bucket has goes without a gap", []fsm.Interval{{First: 1, Last: 10}}, 11, "", fsm.Stored, true, "[]"},
		{"a reason makes no gap where none is needed", []fsm.Interval{{First: 1, Last: 10}}, 11, "of age", fsm.Stored, true, "[]"},
		{"what it lacks does not go without a reason", []fsm.Interval{{First: 1, Last: 10}}, 21, "", fsm.BadRange, false, "[]"},
		{"what it lacks goes with a gap", []fsm.Interval{{First: 1, Last: 10}}, 21, "of age", fsm.Stored, true, "[11 20 10]"},
		{"a gap spans what the bucket has in between", []fsm.Interval{{First: 11, Last: 20}}, 31, "of age", fsm.Stored, true, "[1 30 20]"},
		{"all cuts may go", nil, 31, "of age", fsm.Stored, true, "[1 30 30]"},
		{"a cut goes as a whole", nil, 15, "of age", fsm.BadRange, false, "[]"},
		{"open rows do not go", nil, 32, "of age", fsm.BadRange, false, "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := stack(t)
			for _, iv := range tt.synced {
				r.synced(fsm.Readings, iv.First, iv.Last)
			}
			o := r.one(fsm.RetainCommand{Stream: fsm.Readings, From: tt.from, Reason: tt.reason}.InTerm(r.term))
			if o.Code != tt.code {
				t.Fatalf("code %d (%v), want %d", o.Code, o.Code.Err(), tt.code)
			}
			want := fsm.Seq(1)
			if tt.dropped {
				want = tt.from
			}
			if got := r.a.RetainedFrom(fsm.Readings); got != want {
				t.Errorf("retained from %d, want %d", got, want)
			}
			if cuts := r.a.Cuts(fsm.Readings); len(cuts) > 0 && cuts[0].First != want || len(cuts) != len(r.a.ClosedAt(fsm.Readings)) {
				t.Errorf("cuts %v with %d ages, want them from %d on", cuts, len(r.a.ClosedAt(fsm.Readings)), want)
			}
			var gaps []string
			for _, g := range r.a.Gaps() {
				gaps = append(gaps, fmt.Sprint(g.First, g.Last, g.Count))
			}
			if fmt.Sprint(gaps) != tt.gaps {
				t.Errorf("gaps %v, want %s", gaps, tt.gaps)
			}
			if r.a.LastSeq(fsm.Readings) != 35 {
				t.Errorf("last seq %d, want 35", r.a.LastSeq(fsm.Readings))
			}
			r.reopen()
			if o := r.one(fsm.CutCommand{}); o.Code != fsm.Stored || r.a.LastClosed(fsm.Readings) != 35 {
				t.Errorf("the next cut: %+v, closed up to %d", o, r.a.LastClosed(fsm.Readings))
			}
		})
	}
}

func TestRetain_OfFramesCountsFrames(t *testing.T) {
	r := stack(t)
	r.synced(fsm.Frames, 1, 2)
	if o := r.one(fsm.RetainCommand{Stream: fsm.Frames, From: 5, Reason: "of age"}.InTerm(r.term)); o.Code != fsm.Stored {
		t.Fatal(o.Code.Err())
	}
	want := fsm.Gap{Seq: 1, Stream: fsm.Frames, First: 3, Last: 4, Count: 2, Reason: "of age"}
	if got := r.a.Gaps(); len(got) != 1 || got[0] != want {
		t.Errorf("gaps %+v, want %+v", got, want)
	}
	if got := r.a.RetainedFrom(fsm.Readings); got != 1 {
		t.Errorf("readings are retained from %d, want 1", got)
	}
	r.reopen()
}

func TestRetain_IsADutyOfTheTermAndOfItsLevel(t *testing.T) {
	r := stack(t)
	for _, cmd := range []fsm.DutyCommand{
		fsm.RetainCommand{Stream: fsm.Readings, From: 11, Reason: "of age"},
		fsm.LetGoCommand{Server: "n1", Stream: fsm.Readings, Before: 11},
	} {
		if o := r.one(cmd.InTerm(r.term + 1)); o.Code != fsm.WrongTerm {
			t.Errorf("%T of another term: %+v", cmd, o)
		}
	}
	old := newReplicas(t)
	for _, cmd := range []fsm.Command{fsm.SetRetentionCommand{}, fsm.RetainCommand{From: 1}, fsm.LetGoCommand{Server: "n1"}, fsm.EraseCommand{Device: "d"}} {
		if o := old.one(cmd); o.Code != fsm.TooEarly {
			t.Errorf("%T at the first level: %+v, want TooEarly", cmd, o)
		}
	}
}

// A commit whose answer was lost: the rows are in the table, and a leader finds
// out only after it had to drop them.
func TestSynced_TakesRowsOutOfGapsThatTheBucketWasNotTold(t *testing.T) {
	r := stack(t)
	r.one(fsm.RetainCommand{Stream: fsm.Readings, From: 11, Reason: "full"}.InTerm(r.term))
	r.synced(fsm.Gaps, 1, 1)
	r.one(fsm.RetainCommand{Stream: fsm.Readings, From: 31, Reason: "full"}.InTerm(r.term))
	r.one(fsm.RetainCommand{Stream: fsm.Frames, From: 5, Reason: "full"}.InTerm(r.term))
	counts := func() (c []uint64) {
		for _, g := range r.a.Gaps() {
			c = append(c, g.Count)
		}
		return c
	}
	before := r.a.Gaps()
	r.synced(fsm.Readings, 11, 20)
	if got, want := fmt.Sprint(counts()), "[10 10 4]"; got != want {
		t.Errorf("counts %s, want %s: what came to light is no longer missing", got, want)
	}
	if before[1].Count != 20 {
		t.Error("a list that was handed out changed")
	}
	r.synced(fsm.Readings, 11, 20)
	r.synced(fsm.Readings, 1, 10)
	if got, want := fmt.Sprint(counts()), "[10 10 4]"; got != want {
		t.Errorf("counts %s, want %s: once, and not of a gap that was told", got, want)
	}
	r.reopen()
}

func TestSetRetention_IsReplacedByWhoKnowsIt(t *testing.T) {
	r := stack(t)
	month := fsm.Retention{Readings: fsm.Keep{Age: 30 * dayMicros}}
	for _, c := range []struct {
		name string
		cmd  fsm.SetRetentionCommand
		code fsm.Code
		now  fsm.Seq // the version after it
	}{
		{"the first", fsm.SetRetentionCommand{Version: 0, Retention: month}, fsm.Stored, 1},
		{"one that knew the settings before", fsm.SetRetentionCommand{Version: 0}, fsm.Precondition, 1},
		{"the same again", fsm.SetRetentionCommand{Version: 1, Retention: month}, fsm.Stored, 1},
		{"the next", fsm.SetRetentionCommand{Version: 1, Retention: fsm.Retention{Unshipped: true}}, fsm.Stored, 2},
	} {
		if o := r.one(c.cmd); o.Code != c.code || o.First != c.now {
			t.Errorf("%s: %+v, want code %d at version %d", c.name, o, c.code, c.now)
		}
	}
	if got, version := r.a.Retention(); got != (fsm.Retention{Unshipped: true}) || version != 2 {
		t.Errorf("retention %+v of version %d", got, version)
	}
	for _, bad := range []fsm.Retention{
		{Readings: fsm.Keep{Age: -1}}, {Frames: fsm.Keep{Age: fsm.MaxKeepAge + 1}}, {Readings: fsm.Keep{Bytes: 4096}},
	} {
		op, body := fsm.Encode(fsm.SetRetentionCommand{Retention: bad})
		if err := fsm.Check(op, body); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestLetGo_IsKeptByServerAndTakenBack(t *testing.T) {
	r := stack(t)
	letGo := func(server string, before fsm.Seq) fsm.Code {
		return r.one(fsm.LetGoCommand{Server: server, Stream: fsm.Readings, Before: before}.InTerm(r.term)).Code
	}
	if code := letGo("n1", 21); code != fsm.Stored || r.a.CopiesFrom("n1", fsm.Readings) != 21 || r.a.CopiesFrom("n2", fsm.Readings) != 1 {
		t.Errorf("code %d, n1 from %d, n2 from %d, want 21 and 1", code, r.a.CopiesFrom("n1", fsm.Readings), r.a.CopiesFrom("n2", fsm.Readings))
	}
	r.reopen()
	if code := letGo("n1", 40); code != fsm.BadRange {
		t.Errorf("copies of open rows: code %d, want BadRange", code)
	}
	if code := letGo("n1", 0); code != fsm.Stored || r.a.CopiesFrom("n1", fsm.Readings) != 1 {
		t.Errorf("taken back: code %d, from %d", code, r.a.CopiesFrom("n1", fsm.Readings))
	}
	r.one(fsm.RetainCommand{Stream: fsm.Readings, From: 11, Reason: "full"}.InTerm(r.term))
	if got := r.a.CopiesFrom("n1", fsm.Readings); got != 11 {
		t.Errorf("copies from %d, want from where the site retains", got)
	}
}

func TestAges_OfCutsFromBeforeTheLevelCountFromItOn(t *testing.T) {
	r := newReplicas(t)
	r.post("d", 1)
	r.apply(fsm.CutCommand{})
	r.reopen()
	r.at(minute)
	raised(r)
	r.at(minute)
	r.post("d", 2)
	r.apply(fsm.CutCommand{})
	want := []fsm.LogTime{second + minute, second + 2*minute}
	if got := r.a.ClosedAt(fsm.Readings); !equal(got, want) {
		t.Errorf("closed at %v, want %v", got, want)
	}
	r.reopen()
	if got := r.a.ClosedAt(fsm.Readings); !equal(got, want) {
		t.Errorf("closed at %v after a restore, want %v", got, want)
	}
}
