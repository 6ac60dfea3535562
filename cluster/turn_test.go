package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// prompt is far above what anything takes that does not wait for a disk.
const prompt = 10 * time.Second

// atOnce fails the test where f waits for a stalled disk.
func atOnce(t *testing.T, what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	case <-time.After(prompt):
		t.Fatalf("%s waits for the disk", what)
	}
}

// begins returns once a call has come to the stalled disk; end lets it go on
// and waits for it.
func begins(t *testing.T, d *stalling, call func() error) (end func()) {
	t.Helper()
	resume, waits := d.stall(), d.reached()
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case <-waits:
	case err := <-done:
		t.Fatalf("the call ended without the disk: %v", err)
	}
	end = sync.OnceFunc(func() {
		resume()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

func TestFramesArePutAndReadWhileTheyAreSynced(t *testing.T) {
	d := &stalling{Disk: disk.NewMemory()}
	s := cluster.NewFrameStore(d)
	if err := s.Put(1, picture(1)); err != nil {
		t.Fatal(err)
	}
	end := begins(t, d, s.Sync)
	atOnce(t, "a put", func() error { return s.Put(2, picture(2)) })
	atOnce(t, "a read", func() error {
		got, err := s.JPEG(1)
		if err == nil && !bytes.Equal(got, picture(1)) {
			err = fmt.Errorf("%q, want %q", got, picture(1))
		}
		return err
	})
	end()
}

func TestAFrameThatComesAgainIsNotRemovedWithTheFileItWasIn(t *testing.T) {
	d := &stalling{Disk: disk.NewMemory()}
	s := cluster.NewFrameStore(d)
	if err := s.Put(1, picture(1)); err != nil {
		t.Fatal(err)
	}
	s.CloseHead()
	s.Forget(1, 1) // as where its bytes are damaged
	if err := errors.Join(s.Put(1, picture(1)), s.Drop(2, 2), s.Sync()); err != nil {
		t.Fatal(err)
	}
	again := cluster.NewFrameStore(d)
	if missing, err := again.Restore(openFrames(1)); err != nil || len(missing) > 0 {
		t.Errorf("%d frames are missing (%v), want none", len(missing), err)
	}
}

// snapshotOf is a state as raft keeps it.
func snapshotOf(t *testing.T, r cluster.Replica) io.ReadCloser {
	t.Helper()
	store := raft.NewInmemSnapshotStore()
	sink, err := store.Create(raft.SnapshotVersionMax, 1, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := r.Snapshot()
	if err == nil {
		err = frozen.Persist(sink)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rc, err := store.Open(sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

func newReplica(t *testing.T, d disk.Disk) cluster.Replica {
	t.Helper()
	r, err := cluster.NewReplica(d, func(err error) { t.Errorf("the node ends: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReadsGoOnWhileALeadersSnapshotIsPutInPlace(t *testing.T) {
	leader := newReplica(t, disk.NewMemory())
	leader.ApplyBatch([]*raft.Log{entry(1, genesis), entry(2, clustertest.Reading(t, "d", "r", 1e6, 1))})
	snapshot := snapshotOf(t, leader)
	d := &stalling{Disk: disk.NewMemory()}
	r := newReplica(t, d)
	r.Apply(entry(1, genesis))
	r.Started(func() error { return d.SyncDir("raft") })
	end := begins(t, d, func() error { return r.Restore(snapshot) })
	atOnce(t, "a read", func() error { r.Missing(); return nil })
	end()
	if got, want := r.Digest(), leader.Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestADamagedFileDoesNotHoldUpApply(t *testing.T) {
	d := &stalling{Disk: disk.NewMemory()}
	name := fmt.Sprintf("segments/readings/%020d-%020d.parquet", 1, 1)
	f, err := d.Create(name)
	if err == nil {
		_, err = io.WriteString(f, "not what was written")
	}
	if err = errors.Join(err, f.Sync()); err != nil {
		t.Fatal(err)
	}
	r := newReplica(t, d)
	resume := d.stall()
	defer resume()
	atOnce(t, "Apply", func() error {
		r.ApplyBatch([]*raft.Log{entry(1, genesis), entry(2, clustertest.Reading(t, "d", "r", 1e6, 1)), entry(3, &fsm.CutCommand{})})
		return nil
	})
	resume()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.WriteSegments(ctx) // one
	if again := newReplica(t, d); !again.Adopts(fsm.Readings, r.Cut(fsm.Readings, 0)) {
		t.Errorf("%q are on the disk, want the cut's rows anew", d.Disk.(*disk.Memory).Names("segments/"))
	}
}

func TestApplyAndReadsGoOnWhileASegmentIsPutInPlace(t *testing.T) {
	d := &stalling{Disk: disk.NewMemory()}
	r := newReplica(t, d)
	r.ApplyBatch([]*raft.Log{entry(1, genesis), entry(2, clustertest.Reading(t, "d", "r", 1e6, 1)), entry(3, &fsm.CutCommand{})})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	end := begins(t, d, func() error { r.WriteSegments(ctx); return nil })
	atOnce(t, "Apply", func() error {
		r.ApplyBatch([]*raft.Log{entry(4, clustertest.Reading(t, "d", "r", 2e6, 1)), entry(5, &fsm.CutCommand{})})
		return nil
	})
	atOnce(t, "a read", func() error { r.Missing(); return nil })
	end()
}
