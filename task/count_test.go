package task_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/task"
)

func count(tb testing.TB, device, resource, where string, every time.Duration, output string) fsm.TaskSpec {
	tb.Helper()
	spec, err := task.NewCount(device, resource, where, every, output)
	if err != nil {
		tb.Fatal(err)
	}
	return spec
}

// counts are the emitted windows of a task as counts, in order of time.
func counts(tb testing.TB, m *model, id string) (out []uint64) {
	tb.Helper()
	for _, w := range emitted(tb, m, id) {
		out = append(out, w.Count)
	}
	return out
}

func emitted(tb testing.TB, m *model, id string) []task.Window {
	tb.Helper()
	t := m.task(id)
	out, err := task.Emitted(context.Background(), view{m}, &t)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// matchRecount compares what a task emitted with a recount over the store, and
// with a count made here from the rows by nothing but their columns.
func matchRecount(tb testing.TB, m *model, id string) {
	tb.Helper()
	t := m.task(id)
	recount, err := task.Recount(context.Background(), view{m}, &t)
	if err != nil {
		tb.Fatal(err)
	}
	plain := make(map[int64]uint64)
	for _, r := range m.rows {
		if r.Device == "pump" && r.Resource == "pressure" && r.Value.Number > 10 {
			plain[r.Received-r.Received%t.Spec.Every]++
		}
	}
	got := emitted(tb, m, id)
	if len(got) != len(recount.Windows) {
		tb.Fatalf("%d windows emitted, recount has %d", len(got), len(recount.Windows))
	}
	for i, w := range recount.Windows {
		if got[i].Start != w.Start || got[i].Count != w.Count || got[i].Rev == 0 {
			tb.Errorf("window %d: emitted %+v, recount %+v", i, got[i], w)
		}
		if plain[w.Start] != w.Count {
			tb.Errorf("window at %d: recount %d, rows have %d", w.Start, w.Count, plain[w.Start])
		}
	}
}

func TestAWindowIsEmittedOnceWhenALaterReadingOrTheClockClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		time.Sleep(time.Second)
		m.post("pump", "pressure", 11)
		m.post("pump", "pressure", 9)
		m.post("pump", "pressure", 12)
		time.Sleep(5 * time.Second)
		if got := counts(t, m, "hot"); len(got) != 0 {
			t.Fatalf("counts of an open window = %v, want none", got)
		}
		time.Sleep(5 * time.Second) // into the next window, within the grace
		m.post("other", "x", 1)
		time.Sleep(time.Second)
		if got, want := counts(t, m, "hot"), []uint64{2}; !slices.Equal(got, want) {
			t.Fatalf("counts after a later reading = %v, want %v", got, want)
		}
		m.post("pump", "pressure", 50)
		time.Sleep(time.Minute)
		if got, want := counts(t, m, "hot"), []uint64{2, 1}; !slices.Equal(got, want) {
			t.Fatalf("counts after the clock closed the last window = %v, want %v", got, want)
		}
		last := view{m}.Last(fsm.Readings)
		time.Sleep(10 * time.Minute)
		if got := (view{m}).Last(fsm.Readings); got != last {
			t.Errorf("an idle site got %d more readings", got-last)
		}
	})
}

func TestWindowsWithoutAMatchBetweenFirstAndLastGiveZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		m.post("pump", "pressure", 11)
		time.Sleep(45 * time.Second)
		m.post("pump", "pressure", 1)
		time.Sleep(20 * time.Second)
		m.post("pump", "pressure", 11)
		time.Sleep(30 * time.Second)
		if got, want := counts(t, m, "hot"), []uint64{1, 0, 0, 0, 0, 0, 1}; !slices.Equal(got, want) {
			t.Errorf("counts = %v, want %v", got, want)
		}
		matchRecount(t, m, "hot")
	})
}

func TestAReadingInAnEmittedWindowGivesACorrection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		m.post("pump", "pressure", 11)
		time.Sleep(11 * time.Second)
		m.post("pump", "pressure", 11)
		time.Sleep(10 * time.Second)
		m.stepClock(-20 * time.Second) // the leader's clock goes back two windows
		m.post("pump", "pressure", 11)
		m.post("pump", "pressure", 12)
		time.Sleep(30 * time.Second)
		want := []task.Window{{Count: 3, Rev: 2}, {Count: 1, Rev: 1}}
		got := emitted(t, m, "hot")
		for i := range got {
			got[i].Start = 0
		}
		if !slices.Equal(got, want) {
			t.Errorf("windows = %+v, want %+v", got, want)
		}
		matchRecount(t, m, "hot")
	})
}

func TestANodeThatLagsReadsWhatWasAcknowledgedBeforeItsClockClosesAWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		m.post("pump", "pressure", 11)
		time.Sleep(time.Second)
		m.lag()
		m.post("pump", "pressure", 12)
		time.Sleep(30 * time.Second)
		m.catchUp()
		got := emitted(t, m, "hot")
		if len(got) != 1 || got[0].Count != 2 || got[0].Rev != 1 {
			t.Errorf("windows = %+v, want one of 2 with revision 1", got)
		}
	})
}

func TestATaskNeverReadsItsOwnOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		spec := count(t, "*", "n", "", 10*time.Second, "stats/n")
		m.create("all", spec)
		m.post("pump", "n", 1)
		time.Sleep(time.Minute)
		if got, want := counts(t, m, "all"), []uint64{1}; !slices.Equal(got, want) {
			t.Errorf("counts = %v, want %v", got, want)
		}
	})
}

func TestARunGoesOnAfterItsRunnerIsKilledTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		c := newCrew(m, "n1", "n2", "n3")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		rng := rand.New(rand.NewPCG(1, 2))
		for kills := range 3 {
			for range 40 {
				m.post("pump", "pressure", 20*rng.Float64())
				time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
			}
			node := m.task("hot").Node
			if node == "" {
				t.Fatal("the task has no node")
			}
			if kills < 2 {
				c.kill(node)
			}
		}
		time.Sleep(time.Minute)
		if got := m.task("hot").Attempt; got != 3 {
			t.Errorf("attempt = %d, want 3", got)
		}
		matchRecount(t, m, "hot")
	})
}

// The newest readings may all be erased: there is no page that reaches the last
// seq.
func TestTheClockClosesAWindowAlsoWhereTheNewestReadingsAreErased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		m.must(fsm.RaiseLevel{Level: fsm.NewestLevel})
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		time.Sleep(time.Second)
		m.post("pump", "pressure", 11)
		m.post("gone", "pressure", 11)
		m.must(fsm.EraseCommand{Device: "gone"})
		time.Sleep(time.Minute)
		if got := emitted(t, m, "hot"); len(got) != 1 || got[0].Count != 1 {
			t.Errorf("emitted %+v, want one window with one reading", got)
		}
		m.post("gone", "pressure", 11)
		m.must(fsm.EraseCommand{Device: "gone"})
		matchRecount(t, m, "hot")
	})
}

func TestARunnerOfAnOldAttemptChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1", "n2")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		time.Sleep(time.Second)
		// n1's proposals hang from now on, as if its process were stopped.
		wake := make(chan struct{})
		release := sync.OnceFunc(func() { close(wake) })
		m.onMeet(func(cmd fsm.Command) (bool, error) {
			if a, ok := cmd.(fsm.AdvanceRunCommand); ok && a.Node == "n1" {
				<-wake
			}
			if a, ok := cmd.(fsm.RenewRunCommand); ok && a.Node == "n1" {
				<-wake
			}
			return true, nil
		})
		t.Cleanup(release)
		m.post("pump", "pressure", 11)
		for range 60 {
			time.Sleep(time.Second)
			m.post("pump", "pressure", 11)
		}
		if got := m.task("hot"); got.Node != "n2" || got.Attempt != 2 {
			t.Fatalf("run is attempt %d on %s, want 2 on n2", got.Attempt, got.Node)
		}
		release()
		time.Sleep(20 * time.Second)
		if got := m.task("hot"); got.Node != "n2" || got.Attempt != 2 {
			t.Errorf("run is attempt %d on %s after the old runner woke, want 2 on n2", got.Attempt, got.Node)
		}
		matchRecount(t, m, "hot")
		for _, w := range emitted(t, m, "hot") {
			if w.Rev != 1 {
				t.Errorf("window %d has revision %d, want 1", w.Start, w.Rev)
			}
		}
	})
}

func TestLostAnswersCountNothingTwice(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			var mu sync.Mutex // guards fates
			fates := rand.New(rand.NewPCG(seed, 1))
			m := newModel(t)
			c := newCrew(m, "n1", "n2", "n3")
			m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
			m.onMeet(func(fsm.Command) (bool, error) {
				mu.Lock()
				fate := fates.IntN(5)
				mu.Unlock()
				switch fate {
				case 0:
					return false, cluster.ErrUnknown
				case 1:
					return true, cluster.ErrUnknown
				case 2:
					return false, cluster.ErrNoLeader
				}
				return true, nil
			})
			for range 150 {
				m.post("pump", "pressure", 20*rng.Float64())
				time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
				switch rng.IntN(40) {
				case 0:
					m.stepClock(time.Duration(rng.IntN(60)-30) * time.Second)
				case 1:
					if node := m.task("hot").Node; node != "" {
						c.kill(node)
						c.begin(node)
					}
				}
			}
			m.onMeet(nil)
			time.Sleep(3 * time.Minute)
			matchRecount(t, m, "hot")
		})
	}
}

func TestACancelledTaskStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", 10*time.Second, "stats/hot"))
		m.post("pump", "pressure", 11)
		time.Sleep(time.Second)
		m.must(fsm.CancelTaskCommand{ID: "hot"})
		time.Sleep(time.Minute)
		if got := counts(t, m, "hot"); len(got) != 0 {
			t.Errorf("a cancelled task emitted %v", got)
		}
	})
}

func TestALongPauseGivesNoZerosAndOldReadingsAreLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		newCrew(m, "n1")
		m.create("hot", count(t, "pump", "pressure", "> 10", time.Second, "stats/hot"))
		m.post("pump", "pressure", 11)
		time.Sleep(time.Hour)
		m.post("pump", "pressure", 11)
		time.Sleep(time.Minute)
		if got, want := counts(t, m, "hot"), []uint64{1, 1}; !slices.Equal(got, want) {
			t.Errorf("counts = %v, want %v", got, want)
		}
		m.stepClock(-time.Hour)
		m.post("pump", "pressure", 11)
		time.Sleep(time.Minute)
		after := m.task("hot")
		p, err := task.ProgressOf(&after)
		if err != nil {
			t.Fatal(err)
		}
		if p.Late != 1 || p.Skipped != 3599 || p.Pending != 0 {
			t.Errorf("progress = %+v, want 1 late reading, 3599 skipped windows, none pending", p)
		}
	})
}

func TestMoreWindowsThanOneCommandTakesAreAllEmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t)
		m.create("hot", count(t, "pump", "pressure", "> 10", time.Second, "stats/hot"))
		for range 4 {
			m.post("pump", "pressure", 11)
			time.Sleep((task.MaxKept - 1) * time.Second)
		}
		m.post("pump", "pressure", 11)
		newCrew(m, "n1") // it has all of them to read at once
		time.Sleep(time.Minute)
		if got, want := len(counts(t, m, "hot")), 4*(task.MaxKept-1)+1; got != want {
			t.Errorf("%d windows, want %d", got, want)
		}
		matchRecount(t, m, "hot")
	})
}
