package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// A scan that readings and cuts overtake gives each reading once, in order.
func TestAScanGivesEachReadingOnceInOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := clustertest.Open(t, 1, nil).Nodes[0]
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		filter, err := fsm.NewFilter("pump-[13]", "")
		if err != nil {
			t.Fatal(err)
		}
		all := view.Scan(cluster.ScanQuery{From: math.MinInt64, To: math.MaxInt64})
		defer all.Close()
		some := view.Scan(cluster.ScanQuery{After: 10, Filter: filter, From: 200, To: 400})
		defer some.Close()
		var gotAll, gotSome, wantAll, wantSome []fsm.Seq
		for i := range 600 {
			device, seq := fmt.Sprintf("pump-%d", random.IntN(4)), fsm.Seq(i+1)
			m.MustPropose(clustertest.Reading(t, device, "t", int64(i), 1))
			wantAll = append(wantAll, seq)
			if (device == "pump-1" || device == "pump-3") && i >= 200 && i < 400 && seq > 10 {
				wantSome = append(wantSome, seq)
			}
			if random.IntN(50) == 0 {
				m.MustPropose(&fsm.CutCommand{})
			}
			if random.IntN(20) == 0 {
				gotAll = append(gotAll, drain(t, all, seq, 1+random.IntN(30), random.IntN(5))...)
				gotSome = append(gotSome, drain(t, some, seq, 1+random.IntN(30), random.IntN(5))...)
			}
		}
		gotAll = append(gotAll, drain(t, all, 600, 7, 1000)...)
		gotSome = append(gotSome, drain(t, some, 600, 7, 1000)...)
		if !slices.Equal(gotAll, wantAll) || all.At() != 600 {
			t.Errorf("up to %d: %v, want 1 to 600", all.At(), gotAll)
		}
		if !slices.Equal(gotSome, wantSome) || some.At() != 600 {
			t.Errorf("up to %d: %v, want %v", some.At(), gotSome, wantSome)
		}
	})
}

// drain calls Next up to times times, until all up to last was looked at.
func drain(tb testing.TB, s *cluster.Scanner, last fsm.Seq, limit, times int) (seqs []fsm.Seq) {
	tb.Helper()
	for range times {
		list, err := s.Next(context.Background(), last, limit)
		if err != nil || len(list) > limit || s.Skipped().First != 0 {
			tb.Fatalf("%d readings, limit %d, skipped %v: %v", len(list), limit, s.Skipped(), err)
		}
		for i := range list {
			seqs = append(seqs, list[i].Seq)
		}
		if s.At() >= last {
			break
		}
	}
	return seqs
}

// A file that can hold nothing of what is asked for is not read; the scan goes on
// behind it, and no further than it was asked to look.
func TestAScanPassesOverAFileThatHoldsNothingOfWhatIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := clustertest.Open(t, 1, nil)
		m := site.Nodes[0]
		for i := range 30 {
			if i == 10 || i == 20 {
				m.MustPropose(&fsm.CutCommand{})
			}
			device := []string{"pump-1", "valve-1", "pump-1"}[i/10]
			m.MustPropose(clustertest.Reading(t, device, "t", int64(i), 1))
		}
		site.Wait("the files", func() bool { return len(m.Disk.Names("segments/readings/")) == 2 })
		synctest.Wait() // until they are listed
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name        string
			filter      string
			last, at    fsm.Seq
			first, many int
		}{
			{"up to a seq within the file", "valve-1", 5, 5, 0, 0},
			{"up to the end of the file", "valve-1", 10, 10, 0, 0},
			{"into the file behind it", "valve-1", 15, 15, 11, 5},
			{"over two files into what is open", "motor-1", 25, 25, 0, 0},
			{"over a file between two others", "pump-1", 30, 30, 1, 20},
		} {
			filter, err := fsm.NewFilter(c.filter, "")
			if err != nil {
				t.Fatal(err)
			}
			s := view.Scan(cluster.ScanQuery{Filter: filter, From: math.MinInt64, To: math.MaxInt64})
			got := drain(t, s, c.last, 100, 10)
			if len(got) != c.many || len(got) > 0 && got[0] != fsm.Seq(c.first) || s.At() != c.at {
				t.Errorf("%s: %v, looked up to %d; want %d from %d on, up to %d", c.name, got, s.At(), c.many, c.first, c.at)
			}
			s.Close()
		}
	})
}

func TestScansOfFilesWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := clustertest.Open(t, 1, nil)
		m := site.Nodes[0]
		for range 10 {
			m.MustPropose(clustertest.Reading(t, "d", "r", 1, rand.Float64()))
		}
		m.MustPropose(&fsm.CutCommand{})
		site.Wait("the file", func() bool { return len(m.Disk.Names("segments/readings/")) == 1 })
		synctest.Wait() // until it is listed
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		var open []*cluster.Scanner
		defer func() {
			for _, s := range open {
				s.Close()
			}
		}()
		next := func() error {
			s := view.Scan(cluster.ScanQuery{From: math.MinInt64, To: math.MaxInt64})
			open = append(open, s)
			_, err := s.Next(context.Background(), 10, 1)
			return err
		}
		for err == nil && len(open) < 100 {
			err = next()
		}
		if !errors.Is(err, cluster.ErrBusy) {
			t.Fatalf("%d scans at once: %v, want ErrBusy", len(open), err)
		}
		time.AfterFunc(time.Second, open[0].Close)
		if err := next(); err != nil {
			t.Errorf("after one ended: %v", err)
		}
	})
}
