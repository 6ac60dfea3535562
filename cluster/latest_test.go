package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

func TestPagesOfLatestReadingsAreByNameAndWhole(t *testing.T) {
	const devices = 60
	synctest.Test(t, func(t *testing.T) {
		m := clustertest.Open(t, 1, nil).Nodes[0]
		view, err := m.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		if got := latestNames(t, view, "", "", 3); got != nil {
			t.Errorf("an empty site has %v", got)
		}
		var want []string
		for _, i := range rand.Perm(devices) {
			device := fmt.Sprintf("hall/pump-%02d", i)
			for _, resource := range []string{"t", "on"} {
				m.MustPropose(clustertest.Reading(t, device, resource, 1, float64(i)))
				want = append(want, device+"/"+resource)
			}
			if i%20 == 0 { // names come in while pages are asked for
				sorted := slices.Sorted(slices.Values(want))
				if got := latestNames(t, view, "", "", 7); !slices.Equal(got, sorted) {
					t.Fatalf("got %v, want %v", got, sorted)
				}
			}
		}
		for _, c := range []struct {
			name, device, resource string
			limit, want            int
		}{
			{"all of them", "", "", 1000, 2 * devices},
			{"a page that is the whole", "", "", 2 * devices, 2 * devices},
			{"one at a time", "", "", 1, 2 * devices},
			{"a prefix", "hall/pump-1*", "", 3, 20},
			{"a resource", "", "on", 7, devices},
			{"both", "*-3?", "t", 2, 10},
			{"one device", "hall/pump-07", "", 5, 2},
			{"nothing", "cellar*", "", 5, 0},
		} {
			if got := latestNames(t, view, c.device, c.resource, c.limit); len(got) != c.want {
				t.Errorf("%s: %d series, want %d: %v", c.name, len(got), c.want, got)
			}
		}
	})
}

// latestNames asks for page after page and checks their order.
func latestNames(tb testing.TB, view *cluster.View, device, resource string, limit int) (names []string) {
	tb.Helper()
	filter, err := fsm.NewFilter(device, resource)
	if err != nil {
		tb.Fatal(err)
	}
	q := cluster.LatestQuery{Filter: filter, Limit: limit}
	for {
		page, err := view.LatestPage(q)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page.Readings) > limit || page.Next != "" && len(page.Readings) != limit {
			tb.Fatalf("a page of %d, limit %d, next %q", len(page.Readings), limit, page.Next)
		}
		for _, r := range page.Readings {
			names = append(names, r.Device+"/"+r.Resource)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if !slices.IsSorted(names) {
		tb.Errorf("not by name: %v", names)
	}
	return names
}
