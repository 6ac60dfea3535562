package cluster_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// A day of history is a hundred files here; those that a page does not need
// may as well not be there.
func TestAPageOpensTheFilesThatMayHoldIt(t *testing.T) {
	const files = 100 // more than are held open
	synctest.Test(t, func(t *testing.T) {
		site := clustertest.Open(t, 1, nil, unmerged)
		m := site.Nodes[0]
		for file := range files {
			m.MustPropose(clustertest.Reading(t, "d", "r", int64(file)*1e6, float64(file)))
			m.MustPropose(clustertest.Reading(t, "d", "r", int64(file)*1e6+1, float64(file)))
			m.MustPropose(&fsm.CutCommand{})
		}
		site.Wait("files", func() bool { return len(m.Disk.Names("segments/readings/")) == files })
		synctest.Wait() // until the last is listed
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		all := cluster.Query{Device: "d", Resource: "r", To: math.MaxInt64, Limit: cluster.MaxLimit}
		page, err := view.Range(context.Background(), all)
		if err != nil || len(page.Readings) != 2*files {
			t.Fatalf("%d readings (%v), want %d", len(page.Readings), err, 2*files)
		}
		names := m.Disk.Names("segments/readings/")
		for _, name := range names[3 : files-3] {
			if err := m.Disk.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		for _, descending := range []bool{false, true} {
			q := all
			q.Limit, q.Descending = 3, descending
			page, err := view.Range(context.Background(), q)
			if err != nil || len(page.Readings) != 3 {
				t.Errorf("descending %t: %d readings (%v), want 3", descending, len(page.Readings), err)
			}
		}
		w := cluster.WindowQuery{Device: "d", Resource: "r", To: math.MaxInt64, Step: 1e6, Limit: 1}
		if page, err := view.Windows(context.Background(), w); err != nil || len(page.Windows) != 1 || page.Next != "1000000" {
			t.Errorf("windows %+v (%v), want one and the next", page, err)
		}
		// Without files there is no page: the oldest are not held open.
		q := all
		q.From = 10e6
		q.Limit = 3
		if page, err := view.Range(context.Background(), q); err == nil {
			t.Errorf("a page from missing files: %+v", page)
		}
	})
}

func TestACursorOfTheOtherOrderIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clustertest.Open(t, 1, nil).Nodes[0]
		for i := range 3 {
			m.MustPropose(clustertest.Reading(t, "d", "r", int64(i), 1))
		}
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for _, descending := range []bool{false, true} {
			q := cluster.Query{Device: "d", Resource: "r", To: math.MaxInt64, Limit: 1, Descending: descending}
			page, err := view.Range(context.Background(), q)
			if err != nil || page.Next == "" {
				t.Fatalf("next %q (%v)", page.Next, err)
			}
			q.Descending, q.Cursor = !descending, page.Next
			if _, err := view.Range(context.Background(), q); !errors.Is(err, cluster.ErrCursor) {
				t.Errorf("cursor %q in the other order: %v, want ErrCursor", page.Next, err)
			}
		}
	})
}

// Large values end a page early; all pages together are the history.
func TestAPageOfLargeValuesEndsEarly(t *testing.T) {
	const readings, size, most = 60, 200 << 10, 4 << 20
	synctest.Test(t, func(t *testing.T) {
		m := clustertest.Open(t, 1, nil).Nodes[0]
		for i := range readings {
			at := int64(i*7%readings) * 1e6 // not by time
			m.MustPropose(clustertest.Valued(t, "d", "r", at, fsm.DataValue(make([]byte, size))))
		}
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for _, descending := range []bool{false, true} {
			q := cluster.Query{Device: "d", Resource: "r", To: math.MaxInt64, Limit: 1000, Descending: descending}
			for n := 0; ; {
				page, err := view.Range(context.Background(), q)
				if err != nil || len(page.Readings) == 0 || len(page.Readings)*size > most+size {
					t.Fatalf("a page of %d readings of %d bytes (%v)", len(page.Readings), size, err)
				}
				for _, r := range page.Readings {
					want := int64(n) * 1e6
					if descending {
						want = (readings - 1 - int64(n)) * 1e6
					}
					if r.Time != want {
						t.Fatalf("reading %d is of %d, want %d", n, r.Time, want)
					}
					n++
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					if n != readings {
						t.Errorf("%d readings, want %d", n, readings)
					}
					break
				}
			}
		}
		w := cluster.WindowQuery{Device: "d", Resource: "r", To: math.MaxInt64, Step: 1e6, Aggregate: cluster.Last, Limit: 1000}
		total := 0
		for {
			page, err := view.Windows(context.Background(), w)
			if err != nil || len(page.Windows)*size > most+size {
				t.Fatalf("a page of %d windows (%v)", len(page.Windows), err)
			}
			total += len(page.Windows)
			if w.Cursor = page.Next; w.Cursor == "" {
				break
			}
		}
		if total != readings {
			t.Errorf("%d windows, want %d", total, readings)
		}
	})
}
