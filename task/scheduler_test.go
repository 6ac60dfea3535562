package task_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/task"
)

// runs counts the runs of each node.
func runs(m *model) map[string]int {
	out := make(map[string]int)
	for _, t := range (view{m}).Tasks() {
		out[t.Node]++
	}
	return out
}

func createMany(tb testing.TB, m *model, n int) {
	tb.Helper()
	for i := range n {
		id := fmt.Sprintf("t%02d", i)
		m.create(id, count(tb, "pump", "pressure", "> 10", 10*time.Second, "stats/"+id))
	}
}

func TestRunsAreSpreadOverTheNodesThatLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		c := newCrew(m, "n1", "n2", "n3")
		c.see("n4", false)
		createMany(t, m, 12)
		time.Sleep(5 * time.Second)
		got := runs(m)
		for _, node := range []string{"n1", "n2", "n3"} {
			if got[node] != 4 {
				t.Errorf("%s has %d runs, want 4", node, got[node])
			}
		}
	})
}

func TestTheRunsOfADeadNodeMoveWhenTheirLeaseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		c := newCrew(m, "n1", "n2", "n3")
		createMany(t, m, 9)
		time.Sleep(5 * time.Second)
		c.kill("n1")
		time.Sleep(task.Lease / 2)
		if got := runs(m)["n1"]; got != 3 {
			t.Errorf("within its lease n1 has %d runs, want 3", got)
		}
		time.Sleep(task.Lease)
		got := runs(m)
		if got["n1"] != 0 || got["n2"]+got["n3"] != 9 {
			t.Errorf("runs = %v, want none on n1 and 9 on the others", got)
		}
	})
}

func TestANodeThatLivesButDoesNotWorkKeepsNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		c := newCrew(m, "n3")
		c.see("n1", true) // gossip sees them, but no runner works there
		c.see("n2", true)
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		time.Sleep(3 * task.Lease)
		got := m.task("hot")
		if got.Node != "n3" || got.Attempt != 3 {
			t.Errorf("run is attempt %d on %s, want 3 on n3", got.Attempt, got.Node)
		}
		time.Sleep(time.Minute)
		if after := m.task("hot"); after.Attempt != got.Attempt {
			t.Errorf("attempt = %d a minute later, want %d still", after.Attempt, got.Attempt)
		}
	})
}

func TestTheSchedulerEndsWithItsTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		members := func() []cluster.Member { return []cluster.Member{{Name: "n1", Role: "voter", Alive: true}} }
		s := task.NewScheduler(m, members, slog.New(slog.DiscardHandler))
		begun := time.Now()
		s.Schedule(t.Context(), deposed{})
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the scheduler of a lost term ended after %v, want at once", took)
		}
	})
}

// deposed is the lead of a term that is over.
type deposed struct{}

func (deposed) Propose(context.Context, fsm.Command) (fsm.Result, error) {
	return fsm.Result{}, cluster.ErrNotLeader
}
