package cluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

// lingering runs a node of its own whose readings wait for company.
func lingering(tb testing.TB, profile string, linger time.Duration) *cluster.Node {
	tb.Helper()
	cfg := inMemory(disk.NewMemory())
	cfg.Profile, cfg.Linger = profile, linger
	n, err := cluster.Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ran, n.Close()); err != nil {
			tb.Error(err)
		}
	})
	for !n.Status().Ready { // of the test's own clock
		time.Sleep(time.Second)
	}
	if _, err := n.Propose(tb.Context(), clustertest.Reading(tb, "d", "first", 1, 0)); err != nil {
		tb.Fatal(err)
	}
	// By then the site has stored what it has to say of itself, and none of its
	// clocks strikes.
	time.Sleep(10*time.Second + 300*time.Millisecond)
	return n
}

// proposeAtOnce stores readings at once and returns how many entries they took, and
// how long the first waited.
func proposeAtOnce(tb testing.TB, n *cluster.Node, readings int) (entries uint64, waited time.Duration) {
	tb.Helper()
	synctest.Wait() // until the committer waits
	before, start := n.Status().AppliedIndex, time.Now()
	done := make(chan error, readings)
	for i := range readings {
		go func() {
			_, err := n.Propose(context.Background(), clustertest.Reading(tb, "d", "r", int64(i), 1))
			done <- err
		}()
	}
	for i := range readings {
		if err := <-done; err != nil {
			tb.Error(err)
		}
		if i == 0 {
			waited = time.Since(start)
		}
	}
	return n.Status().AppliedIndex - before, waited
}

func TestReadingsOfAnSDCardShareADiskWrite(t *testing.T) {
	for _, c := range []struct {
		name     string
		profile  string
		linger   time.Duration
		readings int
		least    time.Duration // that the first waits
		most     time.Duration
	}{
		{"a few wait for others", "sdcard", 0, 3, 40 * time.Millisecond, 40 * time.Millisecond},
		{"many wait for nobody", "sdcard", 0, 1000, 0, 0},
		{"unless they are told to wait for nobody", "sdcard", cluster.NoLinger, 3, 0, 0},
		{"on other disks none waits", "ssd", 0, 3, 0, 0},
		{"unless they are told to", "ssd", 5 * time.Millisecond, 3, 5 * time.Millisecond, 5 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				entries, waited := proposeAtOnce(t, lingering(t, c.profile, c.linger), c.readings)
				if waited < c.least || waited > c.most {
					t.Errorf("the first answer came after %s, want %s to %s", waited, c.least, c.most)
				}
				if c.least > 0 && entries != 1 {
					t.Errorf("%d readings took %d entries, want one", c.readings, entries)
				}
			})
		})
	}
}
