package cluster_test

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// Pages over segments, a cut in memory and the head give what sorting all of it
// gives, in whatever order the times came.
func TestPagesOfAHistoryAreItsSortedReadings(t *testing.T) {
	const readings, parts, limit = 600, 4, 7
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := clustertest.Open(t, 1, nil).Nodes[0]
		for part := range parts {
			for range readings / parts {
				// Mostly as devices send, with late, early and equal times.
				micros := int64(part*300+random.IntN(600)) * 1e6
				m.MustPropose(clustertest.Reading(t, "pump-7", "temperature", micros, random.Float64()))
			}
			if part < parts-1 {
				m.MustPropose(&fsm.CutCommand{})
			}
		}
		view, err := m.View(context.Background(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		want, err := view.After(context.Background(), 0, readings)
		if err != nil || len(want) == 0 {
			t.Fatalf("%d readings (%v)", len(want), err)
		}
		for _, descending := range []bool{false, true} {
			slices.SortFunc(want, func(a, b fsm.Reading) int {
				if descending {
					a, b = b, a
				}
				return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq))
			})
			var got []fsm.Reading
			q := cluster.Query{Device: "pump-7", Resource: "temperature", To: math.MaxInt64, Limit: limit, Descending: descending}
			for {
				page, err := view.Range(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Readings...)
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if len(got) != len(want) {
				t.Fatalf("descending %t: %d readings in pages, want %d", descending, len(got), len(want))
			}
			for i := range want {
				if got[i].Seq != want[i].Seq {
					t.Fatalf("descending %t: reading %d has seq %d, want %d", descending, i, got[i].Seq, want[i].Seq)
				}
			}
		}
	})
}

func TestSmallFilesOfAPageAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		_ = oneFile(t, s)
		post(t, s, 3, 3)
		s.Leader().MustPropose(&fsm.CutCommand{})
		m := s.Nodes[0]
		second := "segments/readings/" + fileName(4, 6)
		s.Wait("file", func() bool { return slices.Contains(m.Disk.Names("segments/"), second) })
		history(t, m, cluster.Local)
		history(t, m, cluster.Local)
		for _, name := range m.Disk.Names("segments/readings/") { // a read of it would tell
			m.Disk.Corrupt(name, 100, 3)
		}
		if got := history(t, m, cluster.Local); len(got) != 6 {
			t.Errorf("%d readings, want 6", len(got))
		}
		if found := m.Status().Scrub.Found; found != 0 {
			t.Errorf("%d files were read again", found)
		}
	})
}
