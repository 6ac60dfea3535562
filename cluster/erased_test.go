package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/fsm/segment"
	"skerry/internal/clustertest"
)

// What is erased is in no answer, whether its file was rewritten or not, and
// what the device sends later is.
func TestErasedReadingsAreInNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := clustertest.Open(t, 1, nil)
		m := site.Nodes[0]
		site.Wait("level 2", func() bool { return m.Status().Level >= 2 })
		const before, after = 40, 5
		for i := range before {
			m.MustPropose(clustertest.Reading(t, "gone", "t", int64(2*i), 1))
			m.MustPropose(clustertest.Reading(t, "kept", "t", int64(2*i), 1))
			if i == before/2 {
				m.MustPropose(&fsm.CutCommand{})
			}
		}
		m.LeaveRoom(100) // so that the files are not rewritten yet
		site.Wait("a short disk", func() bool { return m.Status().Disk.State != "ok" })
		m.MustPropose(fsm.EraseCommand{Device: "gone"})
		m.Disk.SetCapacity(0)
		for i := range after {
			m.MustPropose(clustertest.Reading(t, "gone", "t", int64(2*i+1), 2))
		}
		view, err := m.View(context.Background(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		for _, descending := range []bool{false, true} {
			page, err := view.Range(ctx, cluster.Query{Device: "gone", Resource: "t", To: math.MaxInt64, Limit: 100, Descending: descending})
			if err != nil || len(page.Readings) != after {
				t.Errorf("descending %t: %d readings (%v), want %d", descending, len(page.Readings), err, after)
			}
		}
		if list, err := view.After(ctx, 0, 1000); err != nil || len(list) != before+after {
			t.Errorf("in the order of seqs there are %d readings (%v), want %d", len(list), err, before+after)
		}
		w, err := view.Windows(ctx, cluster.WindowQuery{Device: "gone", Resource: "t", To: 1000, Step: cluster.MinStep, Aggregate: cluster.Count, Limit: 9})
		if err != nil || len(w.Windows) != 1 || w.Windows[0].Count != after {
			t.Errorf("windows %+v (%v), want one of %d", w.Windows, err, after)
		}
		s := view.Scan(cluster.ScanQuery{From: math.MinInt64, To: math.MaxInt64})
		defer s.Close()
		last := view.Last(fsm.Readings)
		if got := drain(t, s, last, 1000, 10); len(got) != before+after || s.At() != last {
			t.Errorf("a scan gives %d readings up to %d, want %d", len(got), s.At(), before+after)
		}
	})
}

// stillHolding are the members' files that still have a row which is erased, and those
// that are not of their cut.
func stillHolding(tb testing.TB, s *clustertest.Site, e fsm.Erasures) (files []string) {
	tb.Helper()
	for _, m := range s.Up() {
		for _, name := range m.Disk.Names("segments/") {
			b, err := disk.ReadFile(m.Disk, name, 1<<30)
			if err != nil {
				continue // merged meanwhile
			}
			seg, err := segment.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				tb.Fatalf("%s of %s: %v", name, m.Name, err)
			}
			held, err := seg.Holds(context.Background(), e)
			if err == nil {
				err = seg.Verify(seg.Cut())
			}
			if err != nil || held {
				files = append(files, fmt.Sprint(m.Name, "/", name))
			}
		}
	}
	return files
}

func TestEveryNodeRewritesItsFilesThoseThatWereDownToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Wait("level 2", func() bool { return s.Leader().Status().Level >= 2 })
		for i := range 40 {
			s.Leader().MustPropose(clustertest.Reading(t, []string{"gone", "kept"}[i%2], "t", int64(i), float64(i)))
			if i%10 == 9 {
				s.Leader().MustPropose(&fsm.FrameCommand{Key: fsm.Key{byte(i)}, Device: "gone", Resource: "frame", Width: 8, Height: 8, JPEG: []byte{1, byte(i)}})
				s.Leader().MustPropose(fsm.CutCommand{})
			}
		}
		s.Agree()
		down := s.Followers()[0]
		s.Wait("files", func() bool { return len(down.Disk.Names("segments/")) >= 8 })
		if err := down.Snapshot(); err != nil {
			t.Fatal(err)
		}
		down.Stop()
		before := s.Leader().Status().LastSeq
		s.Leader().MustPropose(fsm.EraseCommand{Device: "gone"})
		s.Leader().MustPropose(clustertest.Reading(t, "gone", "t", 1e6, 7))
		s.Leader().MustPropose(fsm.CutCommand{})
		e := fsm.Erasures{{Device: "gone", UpTo: [2]fsm.Seq{fsm.Seq(before), 4}, Version: 1}}
		rid := func() bool {
			for _, m := range s.Up() {
				if m.Status().Erasing != 0 {
					return false
				}
			}
			return len(stillHolding(t, s, e)) == 0
		}
		s.Wait("files without it", rid)
		down.Start(3)
		s.Agree()
		s.Wait("files without it on all", rid)
		for _, m := range s.Up() {
			got := history(t, m, cluster.Linearizable)
			if len(got) != 21 || got[20].Device != "gone" || got[20].Value.Number != 7 {
				t.Errorf("%s has %d readings, want 20 of the other device and the one after it", m.Name, len(got))
			}
			view, err := m.View(t.Context(), cluster.Linearizable)
			if err != nil {
				t.Fatal(err)
			}
			if frames, err := view.FramesAfter(t.Context(), 0, 10); err != nil || len(frames) != 0 {
				t.Errorf("%s lists %d frames (%v), want none", m.Name, len(frames), err)
			}
		}
	})
}

// A file that may hold what was erased does not go up; a rewritten one does.
func TestAFileThatHoldsErasedRowsIsNotShipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		s.Wait("level 2", func() bool { return m.Status().Level >= 2 })
		m.MustPropose(clustertest.Reading(t, "gone", "t", 1, 1))
		m.MustPropose(fsm.CutCommand{})
		s.Wait("a file", func() bool { return len(m.Disk.Names("segments/readings/")) == 1 })
		view, err := m.View(t.Context(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		cut := view.Cuts(fsm.Readings, 1)[0]
		write := func() error { return m.WriteSegment(t.Context(), fsm.Readings, cut, io.Discard) }
		if err := write(); err != nil {
			t.Fatal(err)
		}
		m.LeaveRoom(100) // so that it is not rewritten at once
		s.Wait("a short disk", func() bool { return m.Status().Disk.State != "ok" })
		m.MustPropose(fsm.EraseCommand{Device: "gone"})
		<-time.After(time.Minute)
		if err := write(); !errors.Is(err, cluster.ErrMissing) {
			t.Errorf("the file goes up: %v", err)
		}
		m.Disk.SetCapacity(0)
		s.Wait("the rewritten file", func() bool { return write() == nil && m.Status().Erasing == 0 })
	})
}
