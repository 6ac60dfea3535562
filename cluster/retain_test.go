package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// shelves posts n cuts of ten readings each, a minute apart, and returns the
// first seq after them.
func shelves(tb testing.TB, s *clustertest.Site, l *ledger, n int) fsm.Seq {
	tb.Helper()
	for range n {
		for range 10 {
			if err := l.post(s.Leader()); err != nil {
				tb.Fatal(err)
			}
		}
		s.Leader().MustPropose(fsm.CutCommand{})
		<-time.After(time.Minute)
	}
	s.Agree()
	return fsm.Seq(s.Leader().Status().LastSeq + 1)
}

// marked says that the bucket has the readings up to last.
func marked(tb testing.TB, s *clustertest.Site, last fsm.Seq) {
	tb.Helper()
	lead := s.Leader()
	r := lead.MustPropose(fsm.SyncedCommand{Stream: fsm.Readings, First: 1, Last: last, Version: 1}.InTerm(lead.Status().Term))
	if r.Outcomes[0].Code != fsm.Stored {
		tb.Fatal(r.Outcomes[0].Code.Err())
	}
}

func keep(s *clustertest.Site, r fsm.Retention) {
	view, err := s.Leader().View(context.Background(), cluster.Linearizable)
	if err != nil {
		return // the wait after it tells
	}
	_, version := view.Retention()
	s.Leader().MustPropose(fsm.SetRetentionCommand{Version: version, Retention: r})
}

// retainedFrom waits until every member has dropped all before a seq, files too.
func retainedFrom(s *clustertest.Site, from fsm.Seq) {
	s.Wait(fmt.Sprint("drop of what is before ", from), func() bool {
		for _, m := range s.Up() {
			if m.Status().RetainedFrom != uint64(from) {
				return false
			}
			for _, name := range m.Disk.Names("segments/readings/") {
				var first, last fsm.Seq
				if _, err := fmt.Sscanf(name, "segments/readings/%020d-%020d.", &first, &last); err != nil || last < from {
					return false
				}
			}
		}
		return true
	})
}

func TestReadingsOfAgeGoOnceTheBucketHasThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		l := newLedger(t, s)
		next := shelves(t, s, l, 6)
		keep(s, fsm.Retention{Readings: fsm.Keep{Age: int64(150 * time.Second / time.Microsecond)}})
		<-time.After(10 * time.Second)
		if st := s.Leader().Status(); st.RetainedFrom != 1 || st.Gaps != 0 {
			t.Fatalf("retained from %d with %d gaps, want all: the bucket has none", st.RetainedFrom, st.Gaps)
		}
		marked(t, s, 20)
		retainedFrom(s, 21)
		marked(t, s, 60)
		retainedFrom(s, 41)
		for _, m := range s.Up() {
			got := history(t, m, cluster.Linearizable)
			if len(got) != 20 || got[0].Seq != 41 || got[19].Seq != next-1 {
				t.Errorf("%s has %d readings from %d on, want 20 from 41", m.Name, len(got), got[0].Seq)
			}
			view, err := m.View(t.Context(), cluster.Linearizable)
			if err != nil {
				t.Fatal(err)
			}
			page, err := view.Range(t.Context(), cluster.Query{Device: "pump-7", Resource: "temperature", To: 1 << 60, Limit: 100})
			if err != nil || len(page.Readings) != 20 {
				t.Errorf("%s: the series has %d readings (%v), want 20", m.Name, len(page.Readings), err)
			}
		}
		restarted := s.Followers()[0]
		restarted.Stop()
		restarted.Start(3)
		s.Agree()
		s.Wait("a start without missing cuts", func() bool { return restarted.Status().Missing == 0 })
	})
}

func TestALatestValueStaysWhenItsReadingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Leader().MustPropose(clustertest.Reading(t, "old", "temperature", 1e6, 7))
		l := newLedger(t, s)
		shelves(t, s, l, 3)
		marked(t, s, 31)
		keep(s, fsm.Retention{Readings: fsm.Keep{Age: int64(time.Second / time.Microsecond)}})
		retainedFrom(s, 32)
		for _, m := range s.Up() {
			view, err := m.View(t.Context(), cluster.Linearizable)
			if err != nil {
				t.Fatal(err)
			}
			if x, ok := view.Latest("old", "temperature"); !ok || x.Value.Number != 7 {
				t.Errorf("%s: latest %+v, %v", m.Name, x, ok)
			}
		}
	})
}

func TestUnshippedReadingsOfAgeGoWithAGapWhereTheSettingsSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		l := newLedger(t, s)
		shelves(t, s, l, 4)
		marked(t, s, 10)
		keep(s, fsm.Retention{Readings: fsm.Keep{Age: int64(150 * time.Second / time.Microsecond)}, Unshipped: true})
		retainedFrom(s, 21)
		view, err := s.Leader().View(t.Context(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		gaps := view.Gaps(0)
		if len(gaps) != 1 || gaps[0].First != 11 || gaps[0].Last != 20 || gaps[0].Count != 10 || !strings.Contains(gaps[0].Reason, "older than") {
			t.Errorf("gaps %+v, want 11 to 20 for their age", gaps)
		}
		if st := s.Leader().Status(); st.GapReadings != 10 || st.Gaps != 1 {
			t.Errorf("status counts %d readings in %d gaps", st.GapReadings, st.Gaps)
		}
	})
}

// A wall clock that jumps ahead by ten years must not age anything.
func TestAStepOfTheClockDropsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		l := newLedger(t, s)
		shelves(t, s, l, 3)
		marked(t, s, 30)
		keep(s, fsm.Retention{Readings: fsm.Keep{Age: int64(24 * time.Hour / time.Microsecond)}})
		for _, m := range s.Up() {
			m.StepClock(10 * 365 * 24 * time.Hour)
		}
		shelves(t, s, l, 1)
		if st := s.Leader().Status(); st.RetainedFrom != 1 {
			t.Errorf("retained from %d, want all", st.RetainedFrom)
		}
	})
}

// unmerged keeps the sizes of files what the test counts on.
func unmerged(c *cluster.Config) { c.Seams.Unmerged = true }

func TestFullDisksMakeTheSiteDropWhatTheBucketHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil, unmerged)
		l := newLedger(t, s)
		shelves(t, s, l, 8)
		marked(t, s, 50)
		for _, m := range s.Up() {
			m.LeaveRoom(clustertest.Reserve - 100)
		}
		s.Wait("drop", func() bool { return s.Leader().Status().RetainedFrom > 1 })
		s.Agree()
		if st := s.Leader().Status(); st.RetainedFrom > 51 || st.Gaps != 0 {
			t.Errorf("retained from %d with %d gaps, want at most what the bucket has", st.RetainedFrom, st.Gaps)
		}
	})
}

func TestOneFullDiskLetsGoOfCopiesThatAMajorityKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil, unmerged)
		l := newLedger(t, s)
		shelves(t, s, l, 8)
		full, other := s.Followers()[0], s.Followers()[1]
		full.LeaveRoom(clustertest.Reserve - 100)
		s.Wait("copies let go", func() bool { return full.Status().CopiesFrom > 1 })
		<-time.After(time.Minute)
		st := full.Status()
		if st.Missing != 0 || st.RetainedFrom != 1 {
			t.Errorf("missing %d, retained from %d: what is not there on purpose is not fetched, nor dropped", st.Missing, st.RetainedFrom)
		}
		for _, name := range full.Disk.Names("segments/readings/") {
			var first, last uint64
			if _, err := fmt.Sscanf(name, "segments/readings/%020d-%020d.", &first, &last); err != nil || last < st.CopiesFrom {
				t.Errorf("%s is still there", name)
			}
		}
		if err := full.Snapshot(); err != nil {
			t.Fatal(err)
		}
		full.Stop()
		full.Start(3)
		s.Agree()
		var fetched atomic.Int64
		s.Network.Watch(func(from, _ raft.ServerAddress, method string) {
			if from == full.Address && method == "segment" {
				fetched.Add(1)
			}
		})
		<-time.After(time.Minute)
		if n := fetched.Load(); n > 0 {
			t.Errorf("%d calls for what is not there on purpose", n)
		}
		if st := full.Status(); st.Missing != 0 || len(full.Disk.Names("segments/readings/")) == 8 {
			t.Errorf("missing %d after a start, files %q", st.Missing, full.Disk.Names("segments/readings/"))
		}
		// With some room again, but not for all copies, it does not count as
		// whole: a second one must not let go of any.
		full.LeaveRoom(clustertest.Reserve * 5 / 2)
		s.Wait("some room", func() bool { return full.Status().Disk.State == "ok" })
		other.LeaveRoom(clustertest.Reserve - 100)
		<-time.After(time.Minute)
		if from := other.Status().CopiesFrom; from != 1 {
			t.Errorf("%s has copies from %d on, want all: only two hold them", other.Name, from)
		}
		full.Disk.SetCapacity(0)
		other.Disk.SetCapacity(0)
		s.Wait("all copies again", func() bool {
			st := full.Status()
			return st.CopiesFrom == 1 && st.Missing == 0
		})
		l.check()
	})
}

// A node that was down while the site dropped what it still has must not wait
// for somebody to empty its disk: it asks what it need not hold.
func TestAFullDiskIsEmptiedOfWhatTheSiteDroppedMeanwhile(t *testing.T) {
	const size = 100_000
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		random := rand.NewChaCha8([32]byte{4})
		big := func(i int) {
			b := make([]byte, size)
			_, _ = random.Read(b) // it never fails
			batch := clustertest.Reading(t, "cam", "raw", int64(i)*1e6, 0)
			batch.Items[0].Records[0].Value = fsm.DataValue(b)
			s.Leader().MustPropose(batch)
			s.Leader().MustPropose(fsm.CutCommand{})
			<-time.After(time.Minute)
		}
		for i := range 4 {
			big(i)
		}
		s.Agree()
		down := s.Followers()[0]
		down.Stop()
		keep(s, fsm.Retention{Readings: fsm.Keep{Age: int64(90 * time.Second / time.Microsecond)}, Unshipped: true})
		retainedFrom(s, 4)
		if err := down.Disk.Remove("reserve"); err != nil {
			t.Fatal(err)
		}
		down.LeaveRoom(100)
		down.Start(3)
		s.Wait("room", func() bool { return down.Status().Disk.State != "full" })
		s.Agree()
		retainedFrom(s, 4)
		if st := down.Status(); st.Missing != 0 {
			t.Errorf("missing %d, want none", st.Missing)
		}
	})
}

func TestTheStateOfADiskDoesNotFlutter(t *testing.T) {
	const r = 1000
	for _, c := range []struct {
		was  string
		free int64
		held bool
		want string
	}{
		{"ok", r, true, "ok"}, {"ok", r - 1, true, "short"},
		{"short", r, true, "short"}, {"short", 2*r - 1, true, "short"}, {"short", 2 * r, true, "ok"},
		{"ok", 2 * r, false, "ok"}, {"ok", 2*r - 1, false, "short"}, // what the reserve will take is not free
		{"short", r / 4, false, "short"}, {"short", r/4 - 1, false, "full"},
		{"full", r/2 - 1, false, "full"}, {"full", r / 2, false, "short"},
	} {
		if got := cluster.JudgeRoom(c.was, c.free, r, c.held); got != c.want {
			t.Errorf("%d free (reserve held: %t) after %s is %s, want %s", c.free, c.held, c.was, got, c.want)
		}
	}
}
