package task_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
	"skerry/task"
)

// work runs a member's runner until the function returned is called.
func work(m *clustertest.Member) (kill func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r := task.NewRunner(task.At(m.Node), m.Name, slog.New(slog.DiscardHandler))
	go func() {
		defer close(ended)
		_ = r.Run(ctx)
	}()
	return func() { cancel(); <-ended }
}

// taskOf reads a task as it is committed.
func taskOf(tb testing.TB, s *clustertest.Site, id string) (*cluster.View, fsm.Task) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	view, err := s.Up()[0].View(ctx, cluster.Linearizable)
	if err != nil {
		tb.Fatal(err)
	}
	t, ok := view.Task(id)
	if !ok {
		tb.Fatalf("no task %q", id)
	}
	return view, t
}

func TestACountOutlivesItsNodesAndTheirLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, func(m *clustertest.Member) []cluster.Duty {
			return []cluster.Duty{task.NewScheduler(task.At(m.Node), m.Members, slog.New(slog.DiscardHandler)).Duty}
		})
		kills := make(map[string]func())
		for _, m := range s.Nodes {
			kills[m.Name] = work(m)
		}
		defer func() {
			for _, kill := range kills {
				kill()
			}
		}()
		post := func(n int) {
			for i := range n {
				up := s.Up()
				up[i%len(up)].MustPropose(clustertest.Reading(t, "pump", "pressure", int64(i), float64(i%20)))
				<-time.After(700 * time.Millisecond)
			}
		}
		s.Leader().MustPropose(fsm.CreateTaskCommand{ID: "hot", Spec: count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot")})
		post(30)
		for range 2 {
			_, running := taskOf(t, s, "hot")
			for _, m := range s.Nodes {
				if m.Name == running.Node {
					kills[m.Name]()
					m.Crash()
					post(30)
					m.Start(3)
					kills[m.Name] = work(m)
				}
			}
			s.Leader()
			post(30)
		}
		s.Leader().MustPropose(fsm.CutCommand{})
		<-time.After(time.Minute)

		view, done := taskOf(t, s, "hot")
		if done.Attempt < 3 {
			t.Errorf("attempt = %d, want 3 at least", done.Attempt)
		}
		want, err := task.Recount(t.Context(), view, &done)
		if err != nil {
			t.Fatal(err)
		}
		got, err := task.Emitted(t.Context(), view, &done)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want.Windows) || len(got) < 10 {
			t.Fatalf("%d windows emitted, recount has %d, and there are at least 10", len(got), len(want.Windows))
		}
		var total uint64
		for i, w := range want.Windows {
			total += got[i].Count
			if got[i].Start != w.Start || got[i].Count != w.Count {
				t.Errorf("window %d: emitted %+v, recount %+v", i, got[i], w)
			}
		}
		if wantTotal := uint64(5 * 9); total != wantTotal { // 11 to 19 of each 30
			t.Errorf("%d readings counted, want %d", total, wantTotal)
		}
	})
}
