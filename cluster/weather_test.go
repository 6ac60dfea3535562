package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// weatherSeeds is how many runs there are; each takes a few minutes of virtual
// time.
const weatherSeeds = 12

// Crashes, cut links, snapshots, cuts and steps of the clock in any order:
// what was acknowledged is there, once, and every picture too.
func TestWhatWasAcknowledgedIsThereOnceWhateverTheWeather(t *testing.T) {
	base := rand.Uint64()
	for i := range uint64(weatherSeeds) {
		t.Run(fmt.Sprintf("seed %d", base+i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWeather(t, base+i).run() })
		})
	}
}

type weather struct {
	*clustertest.Site
	tb       testing.TB
	rng      *rand.Rand
	work     sync.WaitGroup
	sent     int
	isolated *clustertest.Member

	mu       sync.Mutex
	acked    map[float64]bool
	pictures map[fsm.Seq]string
}

func newWeather(tb testing.TB, seed uint64) *weather {
	return &weather{
		Site: clustertest.Open(tb, 3, nil), tb: tb, rng: rand.New(rand.NewPCG(seed, 0)),
		acked: map[float64]bool{}, pictures: map[fsm.Seq]string{},
	}
}

func (w *weather) run() {
	for range 120 {
		w.step()
		<-time.After(time.Duration(w.rng.IntN(600)) * time.Millisecond)
	}
	w.join()
	w.startAll()
	w.work.Wait()
	w.Leader()
	for _, m := range w.Nodes {
		m.Crash()
	}
	w.startAll()
	w.Leader()
	for _, m := range w.Nodes {
		w.Wait("whole nodes", func() bool { return m.Status().Missing == 0 })
		w.check(m)
	}
}

func (w *weather) step() {
	one, other := w.Nodes[w.rng.IntN(3)], w.Nodes[w.rng.IntN(3)]
	switch k := w.rng.IntN(20); {
	case k >= 13 && k < 16:
		if one.Node == nil {
			one.Start(3)
		}
	case k == 16 && w.isolated == nil:
		w.isolated = one
		w.Network.Isolate(one.Address, true)
	case k == 16:
		w.join()
	case k == 17:
		by := time.Duration(w.rng.IntN(40)-8) * time.Hour
		for _, m := range w.Nodes {
			m.StepClock(by)
		}
	case one.Node == nil || other.Node == nil:
	case k < 8:
		for range 1 + w.rng.IntN(5) {
			w.post(one.Node, other.Node)
		}
	case k < 10:
		w.shoot(one.Node)
	case k == 10:
		node := one.Node
		w.work.Go(func() { _, _ = propose(node, fsm.CutCommand{}) })
	case k < 13:
		node := one.Node
		w.work.Go(func() { _ = node.Snapshot() })
	default:
		one.Crash()
	}
}

func (w *weather) join() {
	if w.isolated != nil {
		w.Network.Isolate(w.isolated.Address, false)
		w.isolated = nil
	}
}

func (w *weather) startAll() {
	for _, m := range w.Nodes {
		if m.Node == nil {
			m.Start(3)
		}
	}
}

func propose(n *cluster.Node, cmd fsm.Command) (fsm.Outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	r, err := n.Propose(ctx, cmd)
	if err != nil {
		return fsm.Outcome{}, err
	}
	return r.Outcomes[0], r.Outcomes[0].Code.Err()
}

// post sends a reading to one node until it has an answer, then to another as a
// device does whose answer got lost.
func (w *weather) post(nodes ...*cluster.Node) {
	w.sent++
	value := float64(w.sent)
	b := clustertest.Reading(w.tb, "d", "r", int64(w.sent)*1e6, value)
	w.work.Go(func() {
		for _, n := range nodes {
			if _, err := propose(n, &fsm.Batch{Items: b.Items}); err == nil {
				w.mu.Lock()
				w.acked[value] = true
				w.mu.Unlock()
			}
		}
	})
}

func (w *weather) shoot(node *cluster.Node) {
	w.sent++
	jpeg := fmt.Sprint("picture ", w.sent)
	var key fsm.Key
	copy(key[:], jpeg)
	w.work.Go(func() {
		f := fsm.FrameCommand{Key: key, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: []byte(jpeg)}
		if o, err := propose(node, &f); err == nil {
			w.mu.Lock()
			w.pictures[o.First] = jpeg
			w.mu.Unlock()
		}
	})
}

func (w *weather) check(m *clustertest.Member) {
	w.tb.Helper()
	times := map[float64]int{}
	for _, r := range history(w.tb, m, cluster.Linearizable) {
		times[r.Value.Number]++
	}
	for value, n := range times {
		if n != 1 {
			w.tb.Errorf("%s has reading %g %d times", m.Name, value, n)
		}
	}
	for value := range w.acked {
		if times[value] == 0 {
			w.tb.Errorf("%s lost reading %g", m.Name, value)
		}
	}
	view, err := m.View(context.Background(), cluster.Linearizable)
	if err != nil {
		w.tb.Fatal(err)
	}
	for seq, want := range w.pictures {
		if got, err := view.JPEG(context.Background(), seq); err != nil || string(got) != want {
			w.tb.Errorf("%s has frame %d as %q (%v), want %q", m.Name, seq, got, err, want)
		}
	}
}
