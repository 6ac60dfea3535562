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
