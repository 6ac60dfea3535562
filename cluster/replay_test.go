package cluster_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

// gatedLog is a log whose entries cannot be read while the gate is shut.
type gatedLog struct {
	raft.LogStore
	gate *atomic.Pointer[chan struct{}]
}

func (l gatedLog) IsMonotonic() bool { return true }

func (l gatedLog) GetLog(index uint64, out *raft.Log) error {
	if gate := l.gate.Load(); gate != nil {
		<-*gate
	}
	return l.LogStore.GetLog(index, out)
}

func TestANodeIsReadyWhenItsLogIsReplayedAndNotBefore(t *testing.T) {
	const readings = 100
	d := disk.NewMemory()
	var gate atomic.Pointer[chan struct{}]
	run := func(shut bool) (n *cluster.Node, open, stop func()) {
		cfg := inMemory(d)
		cfg.Seams.Log = func(l raft.LogStore) raft.LogStore { return gatedLog{l, &gate} }
		n, err := cluster.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if shut {
			c := make(chan struct{})
			gate.Store(&c)
			open = func() { gate.Store(nil); close(c) }
		}
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- n.Run(ctx) }()
		return n, open, func() {
			cancel()
			if err := errors.Join(<-ran, n.Close()); err != nil {
				t.Error(err)
			}
		}
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); <-time.After(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s did not come", what)
			}
		}
	}

	n, _, stop := run(false)
	await("readiness", func() bool { return n.Status().Ready })
	for i := range int64(readings) {
		if i == 1 {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.Propose(t.Context(), clustertest.Reading(t, "d", "r", i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	stop()

	n, open, stop := run(true)
	defer stop()
	await("a leader", func() bool { return n.Status().Leader != "" })
	if st := n.Status(); st.Ready {
		t.Errorf("it is ready with %d of %d readings", st.LastSeq, readings)
	}
	open()
	await("readiness", func() bool { return n.Status().Ready })
	if got := n.Status().LastSeq; got != readings {
		t.Errorf("it is ready with %d readings, want %d", got, readings)
	}
}
