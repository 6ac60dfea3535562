package cluster_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/fsm/segment"
	"skerry/internal/clustertest"
)

// cutUp posts n readings a cut, in so many cuts.
func cutUp(tb testing.TB, s *clustertest.Site, first, cuts, n int) {
	tb.Helper()
	for i := range cuts {
		post(tb, s, first+i*n, n)
		s.Leader().MustPropose(&fsm.CutCommand{})
	}
}

// segmentFiles are a member's segment files of a stream.
func segmentFiles(m *clustertest.Member, stream string) (names []string) {
	for _, name := range m.Disk.Names("segments/" + stream + "/") {
		names = append(names, name[len("segments/"+stream+"/"):])
	}
	return names
}

// wantFiles compares a member's files of readings.
func wantFiles(tb testing.TB, m *clustertest.Member, want ...string) {
	tb.Helper()
	if got := segmentFiles(m, "readings"); !slices.Equal(got, want) {
		tb.Errorf("files of %s are %q, want %q", m.Name, got, want)
	}
}

func fileName(first, last int) string { return fmt.Sprintf("%020d-%020d.parquet", first, last) }

func TestSmallFilesBecomeOneAndAllIsReadAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		cutUp(t, s, 0, 8, 10)
		post(t, s, 80, 5)
		s.Agree()
		for _, m := range s.Up() {
			s.Wait("one file", func() bool { return slices.Contains(segmentFiles(m, "readings"), fileName(1, 80)) })
			if got := len(history(t, m, cluster.Local)); got != 85 {
				t.Errorf("%s has %d readings, want 85", m.Name, got)
			}
		}
		// What was merged stays a little, for whoever has just listed it.
		<-time.After(2 * time.Minute)
		for _, m := range s.Up() {
			wantFiles(t, m, fileName(1, 80))
		}
		wantCount(t, s, 85)
		view, err := s.Nodes[1].View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for after := range fsm.Seq(85) {
			got, err := view.After(context.Background(), after, 3)
			if err != nil || len(got) != min(3, 85-int(after)) || got[0].Seq != after+1 {
				t.Fatalf("after %d come %+v (%v)", after, got, err)
			}
		}
		page, err := view.Range(context.Background(), cluster.Query{Device: "pump-7", Resource: "temperature", From: 20e6, To: 31e6, Limit: 100})
		if err != nil || len(page.Readings) != 11 {
			t.Errorf("%d readings of 11 s (%v), want 11", len(page.Readings), err)
		}
	})
}

func TestFramesFilesBecomeOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		for i := range 8 {
			m.MustPropose(&fsm.FrameCommand{Key: fsm.Key{byte(i)}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: fmt.Appendf(nil, "picture %d", i+1)})
			m.MustPropose(&fsm.CutCommand{})
		}
		<-time.After(2 * time.Minute)
		if got := segmentFiles(m, "frames"); !slices.Equal(got, []string{fileName(1, 8)}) {
			t.Errorf("files are %q, want one", got)
		}
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for seq := range fsm.Seq(8) {
			if b, err := view.JPEG(context.Background(), seq+1); err != nil || string(b) != fmt.Sprintf("picture %d", seq+1) {
				t.Errorf("frame %d is %q (%v)", seq+1, b, err)
			}
		}
	})
}

func TestAFewFilesOfTodayWaitAndThoseOfYesterdayDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		cutUp(t, s, 0, 3, 10)
		<-time.After(5 * time.Minute)
		if got := len(segmentFiles(s.Nodes[0], "readings")); got != 3 {
			t.Errorf("%d files, want 3: more of the date are to come", got)
		}
		<-time.After(24 * time.Hour)
		cutUp(t, s, 30, 1, 10)
		<-time.After(5 * time.Minute)
		wantFiles(t, s.Nodes[0], fileName(1, 30), fileName(31, 40))
	})
}

func TestARowIsMergedAgainOnlyIntoAFileTwiceAsLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		cutUp(t, s, 0, 8, 40)
		<-time.After(2 * time.Minute)
		cutUp(t, s, 320, 8, 2)
		<-time.After(2 * time.Minute)
		wantFiles(t, s.Nodes[0], fileName(1, 320), fileName(321, 336))
	})
}

// A merge writes a file beside those that it is made of: where that would leave the
// node short of room it waits.
func TestAMergeDoesNotMakeANodeShortOfRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		m.Disk.SetCapacity(1 << 30)
		s.Wait("a reserve", func() bool { return m.Status().Disk.ReserveHeld })
		cutUp(t, s, 0, 7, 10)
		post(t, s, 70, 10)
		<-time.After(time.Minute) // the log has made what it needs
		m.LeaveRoom(clustertest.Reserve + 8<<10)
		m.MustPropose(&fsm.CutCommand{})
		<-time.After(5 * time.Minute)
		if state := m.Status().Disk.State; state != "ok" || len(segmentFiles(m, "readings")) != 8 {
			t.Errorf("the disk is %s with %d files, want it ok with 8", state, len(segmentFiles(m, "readings")))
		}
		m.Disk.SetCapacity(0)
		<-time.After(5 * time.Minute)
		wantFiles(t, m, fileName(1, 80))
	})
}

func TestFilesWaitForTheBucketThatASiteHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		synced := func(first, last fsm.Seq) {
			m.MustPropose(fsm.SyncedCommand{Term: m.Status().Term, Stream: fsm.Readings, First: first, Last: last, Version: uint64(last)})
		}
		cutUp(t, s, 0, 1, 10)
		synced(1, 10)
		cutUp(t, s, 10, 9, 10)
		<-time.After(5 * time.Minute)
		if got := len(segmentFiles(m, "readings")); got != 10 {
			t.Errorf("%d files, want 10: the bucket does not have them", got)
		}
		synced(11, 80)
		<-time.After(5 * time.Minute)
		wantFiles(t, m, fileName(1, 80), fileName(81, 90), fileName(91, 100))
	})
}

func TestAPowerCutAmidAMergeLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		for round := range 12 {
			cutUp(t, s, round*40, 8, 5)
			m := s.Nodes[round%3]
			<-time.After(time.Duration(round) * 100 * time.Microsecond)
			m.Crash()
			m.Start(3)
			s.Leader()
			s.Agree()
		}
		<-time.After(5 * time.Minute)
		wantCount(t, s, 12*40)
		for _, m := range s.Up() {
			if st := m.Status(); st.Missing != 0 {
				t.Errorf("%s misses %d", m.Name, st.Missing)
			}
		}
	})
}

// What a power cut leaves: the merged file is there and the small ones are too;
// or the merged one is torn.
func TestOfAFileAndThoseThatItCoversTheWholeOnesAreKept(t *testing.T) {
	for _, torn := range []bool{false, true} {
		t.Run(fmt.Sprintf("merged file torn: %t", torn), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := clustertest.Open(t, 1, nil)
				m := s.Nodes[0]
				cutUp(t, s, 0, 8, 10)
				s.Wait("a merged file", func() bool { return slices.Contains(segmentFiles(m, "readings"), fileName(1, 80)) })
				dropLog(t, s, m, 80) // the rows are not to come from it
				m.Stop()
				if torn {
					truncate(t, m, "segments/readings/"+fileName(1, 80))
				}
				m.Start(1)
				s.Leader()
				<-time.After(2 * time.Minute) // merged again, if need be
				if got := segmentFiles(m, "readings"); !slices.Contains(got, fileName(1, 80)) || slices.Contains(got, fileName(11, 20)) {
					t.Errorf("files are %q", got)
				}
				for _, name := range segmentFiles(m, "readings") {
					if strings.HasSuffix(name, ".rotten") {
						t.Errorf("%s is left, and its rows are here", name)
					}
				}
				if st := m.Status(); st.Missing != 0 {
					t.Errorf("%d cuts are missing", st.Missing)
				}
				view, err := m.View(context.Background(), cluster.Local)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := view.After(context.Background(), 0, 80); err != nil || len(got) != 80 {
					t.Errorf("%d readings (%v), want 80", len(got), err)
				}
			})
		})
	}
}

// truncate cuts a file in two and leaves the first half.
func truncate(tb testing.TB, m *clustertest.Member, name string) {
	tb.Helper()
	f, err := m.Disk.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	size, err := f.Size()
	if err == nil {
		err = f.Truncate(size / 2)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// dropLog has a member's log forget the first rows.
func dropLog(tb testing.TB, s *clustertest.Site, m *clustertest.Member, first int) {
	tb.Helper()
	for i := range 3 {
		if err := m.Snapshot(); err != nil {
			tb.Fatal(err)
		}
		post(tb, s, first+i*300, 300)
	}
}

func wantFirst(tb testing.TB, m *clustertest.Member, n int) {
	tb.Helper()
	view, err := m.View(tb.Context(), cluster.Local)
	if err != nil {
		tb.Fatal(err)
	}
	if got, err := view.After(tb.Context(), 0, n); err != nil || len(got) != n {
		tb.Errorf("%d readings (%v), want %d", len(got), err, n)
	}
}

func TestWhatWasMergedGoesWhenTheMergedFileIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		cutUp(t, s, 0, 8, 10)
		dropLog(t, s, m, 80)
		<-time.After(2 * time.Minute)
		m.Crash()
		m.Start(1)
		s.Leader()
		wantFiles(t, m, fileName(1, 80))
		wantFirst(t, m, 80)
	})
}

func TestACutThatIsReplayedOverATornFileIsWrittenAgain(t *testing.T) {
	for _, merged := range []bool{false, true} {
		t.Run(fmt.Sprintf("of several cuts: %t", merged), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := clustertest.Open(t, 1, nil)
				m := s.Nodes[0]
				cuts := 1
				if merged {
					cuts = 8
				}
				cutUp(t, s, 0, cuts, 10)
				<-time.After(2 * time.Minute)
				m.Stop()
				truncate(t, m, "segments/readings/"+fileName(1, 10*cuts))
				m.Start(1)
				s.Leader()
				<-time.After(2 * time.Minute)
				wantFirst(t, m, 10*cuts)
				for _, name := range segmentFiles(m, "readings") {
					if strings.HasSuffix(name, ".rotten") {
						t.Errorf("%s is left, and its rows are here", name)
					}
				}
			})
		})
	}
}

// Two who make files of the same rows at once, as a merge and whoever writes one
// of the merged files anew: the larger file stays.
func TestAFileThatIsLateDoesNotTakeTheMergedOnesPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		cutUp(t, s, 0, 8, 10)
		<-time.After(2 * time.Minute)
		cutUp(t, s, 80, 1, 10)
		s.Wait("the last", func() bool { return len(segmentFiles(m, "readings")) == 2 })
		synctest.Wait()
		view, err := m.View(t.Context(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		cuts := view.Cuts(fsm.Readings, 1)
		write := func(cuts ...fsm.Cut) error {
			span := cuts[0]
			for _, c := range cuts[1:] {
				span.Last = c.Last
				span.Digest.Add(c.Digest)
			}
			rows, err := view.After(t.Context(), span.First-1, span.Rows())
			if err != nil {
				t.Fatal(err)
			}
			return m.WriteFile(fsm.Readings, span, func(w io.Writer) error {
				_, err := segment.WriteReadings(w, "test", span, rows)
				return err
			})
		}
		if err := write(cuts[1]); err != nil {
			t.Errorf("one of the merged: %v, want that it is there already", err)
		}
		if err := write(cuts[7], cuts[8]); err == nil {
			t.Error("a file that splits another was taken")
		}
		<-time.After(2 * time.Minute)
		wantFiles(t, m, fileName(1, 80), fileName(81, 90))
		wantFirst(t, m, 90)
	})
}
