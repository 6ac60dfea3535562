package cluster_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// Windows over files and memory are what a search of all readings gives, for
// all aggregates, whatever the order of times, for any size of page.
func TestWindowsAreWhatTheReadingsSay(t *testing.T) {
	const readings, parts = 800, 4
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := clustertest.Open(t, 1, nil).Nodes[0]
		for part := range parts {
			for i := range readings / parts {
				// From before 1970, mostly as devices send, with late and equal times.
				micros := (int64(part*400+random.IntN(800)) - 300) * 1e6
				m.MustPropose(valued(t, random, fmt.Sprint(part, i), micros))
			}
			if part < parts-1 {
				m.MustPropose(&fsm.CutCommand{})
			}
		}
		view, err := m.View(context.Background(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		all, err := view.After(context.Background(), 0, readings)
		if err != nil || len(all) != readings {
			t.Fatalf("%d readings (%v)", len(all), err)
		}
		for number, name := range cluster.Aggregates {
			for _, step := range []int64{1_000_000, 7_000_000, 60_000_000, 3600_000_000} {
				q := cluster.WindowQuery{
					Device: "pump-7", Resource: "temperature", From: -200_500_000, To: 1_200_500_000, Step: step,
					Aggregate: cluster.Aggregate(number), Limit: 1 + random.IntN(40),
				}
				want := windowsOf(all, q)
				got := allWindows(t, view, q)
				if len(got) != len(want) {
					t.Fatalf("%s of %d: %d windows, want %d", name, step, len(got), len(want))
				}
				for _, w := range got {
					if said := want[w.Start]; !sameWindow(w, said) {
						t.Fatalf("%s of %d: %+v, want %+v", name, step, w, said)
					}
				}
			}
		}
	})
}

// valued is one reading of a random kind.
func valued(tb testing.TB, random *rand.Rand, id string, micros int64) fsm.Command {
	tb.Helper()
	value := fsm.NumberValue(random.NormFloat64())
	switch random.IntN(6) {
	case 0:
		value = fsm.FlagValue(random.IntN(2) == 1)
	case 1:
		value = fsm.TextValue(id)
	case 2:
		value = fsm.DataValue([]byte(id))
	}
	return clustertest.Valued(tb, "pump-7", "temperature", micros, value)
}

func allWindows(tb testing.TB, view *cluster.View, q cluster.WindowQuery) (list []cluster.Window) {
	tb.Helper()
	for {
		page, err := view.Windows(context.Background(), q)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page.Windows) > q.Limit || len(page.Windows) < q.Limit && page.Next != "" {
			tb.Fatalf("a page of %d windows, limit %d, next %q", len(page.Windows), q.Limit, page.Next)
		}
		for _, w := range page.Windows {
			if n := len(list); n > 0 && list[n-1].Start >= w.Start {
				tb.Fatalf("window %d after %d", w.Start, list[n-1].Start)
			}
			list = append(list, w)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return list
		}
	}
}

// windowsOf does what the documentation says, one reading after the other.
func windowsOf(all []fsm.Reading, q cluster.WindowQuery) map[int64]cluster.Window {
	members := map[int64][]fsm.Reading{}
	for _, r := range all {
		number := r.Value.Kind == fsm.Number || r.Value.Kind == fsm.Flag
		if r.Time < q.From || r.Time >= q.To || !number && q.Aggregate < cluster.Count {
			continue
		}
		start := int64(math.Floor(float64(r.Time)/float64(q.Step))) * q.Step
		members[start] = append(members[start], r)
	}
	windows := map[int64]cluster.Window{}
	for start, list := range members {
		w := cluster.Window{Start: start, Count: len(list)}
		least, greatest, sum := math.Inf(1), math.Inf(-1), new(big.Float).SetPrec(500)
		last := list[0]
		for _, r := range list {
			x := r.Value.Number
			if r.Value.Flag {
				x = 1
			}
			least, greatest = min(least, x), max(greatest, x)
			sum.Add(sum, big.NewFloat(x))
			if r.Time >= last.Time { // all is in seq order
				last = r
			}
		}
		mean, _ := sum.Quo(sum, big.NewFloat(float64(len(list)))).Float64()
		switch q.Aggregate {
		case cluster.Avg:
			w.Value = fsm.NumberValue(mean)
		case cluster.Min:
			w.Value = fsm.NumberValue(least)
		case cluster.Max:
			w.Value = fsm.NumberValue(greatest)
		case cluster.Count:
			w.Value = fsm.NumberValue(float64(len(list)))
		case cluster.Last:
			w.Value, w.Unit = last.Value, last.Unit
		}
		windows[start] = w
	}
	return windows
}

func sameWindow(a, b cluster.Window) bool {
	near := math.Abs(a.Value.Number-b.Value.Number) <= 1e-15*math.Abs(b.Value.Number)+1e-18
	a.Value.Number = b.Value.Number
	return near && fmt.Sprint(a) == fmt.Sprint(b)
}

func TestTheMeanOfHugeNumbersIsFinite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clustertest.Open(t, 1, nil).Nodes[0]
		for i, x := range []float64{math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64, 8} {
			m.MustPropose(clustertest.Reading(t, "d", "r", int64(i), x))
		}
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		list := allWindows(t, view, cluster.WindowQuery{Device: "d", Resource: "r", To: 3, Step: cluster.MinStep, Limit: 1})
		if want := math.MaxFloat64 / 3; math.Abs(list[0].Value.Number-want) > 1e-12*want {
			t.Errorf("mean = %g, want %g", list[0].Value.Number, want)
		}
	})
}

// Pages of a file end anywhere among readings of one time.
func TestTheLastOfOneMomentIsTheOneThatEnteredLast(t *testing.T) {
	const packs, records = 6, 1000 // more than a page of a file has
	synctest.Test(t, func(t *testing.T) {
		site := clustertest.Open(t, 1, nil)
		m := site.Nodes[0]
		for pack := range packs {
			batch := clustertest.Reading(t, "d", "r", 0, 0)
			list := &batch.Items[0].Records
			for len(*list) < records {
				*list = append(*list, fsm.Record{Device: "d", Resource: "r", Value: fsm.NumberValue(float64(pack*records + len(*list)))})
			}
			m.MustPropose(batch)
		}
		m.MustPropose(&fsm.CutCommand{})
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		site.Wait("the cut's file", func() bool { return len(m.Disk.Names("segments/readings/")) == 1 })
		synctest.Wait() // until it is listed
		list := allWindows(t, view, cluster.WindowQuery{Device: "d", Resource: "r", To: 1, Step: cluster.MinStep, Aggregate: cluster.Last, Limit: 1})
		if len(list) != 1 || list[0].Value.Number != packs*records-1 || list[0].Count != packs*records {
			t.Errorf("windows %+v, want the last of %d", list, packs*records)
		}
	})
}
