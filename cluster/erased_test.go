package cluster_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/fsm"
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
		m.MustPropose(fsm.EraseCommand{Device: "gone"})
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
