package cluster_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/internal/clustertest"
)

// A node that lacks rows, and has no room for them, answers all the same.
func TestRowsThatANodeLacksAreReadFromAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		cutUp(t, s, 0, 8, 10)
		<-time.After(2 * time.Minute)
		for _, m := range s.Up() {
			dropLog(t, s, m, 80)
		}
		m := s.Followers()[0]
		m.Stop()
		for _, name := range m.Disk.Names("segments/readings/") {
			if err := m.Disk.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		m.LeaveRoom(100) // nothing can be fetched to stay
		m.Start(3)
		s.Leader()
		s.Agree()
		if st := m.Status(); st.Missing != 8 {
			t.Fatalf("%d cuts are missing, want 8", st.Missing)
		}
		wantFirst(t, m, 80)
		view, err := m.View(t.Context(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		q := cluster.Query{Device: "pump-7", Resource: "temperature", From: 15e6, To: 36e6, Limit: 100}
		for range 3 {
			page, err := view.Range(t.Context(), q)
			if err != nil || len(page.Readings) != 21 {
				t.Fatalf("%d readings (%v), want 21", len(page.Readings), err)
			}
		}
		m.Disk.SetCapacity(0)
		s.Wait("all rows", func() bool { return m.Status().Missing == 0 })
		q.To = math.MaxInt64
		if page, err := view.Range(context.Background(), q); err != nil || len(page.Readings) != 100 {
			t.Errorf("%d readings (%v), want 100", len(page.Readings), err)
		}
	})
}
