package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// entry is a log entry with a command.
func entry(index uint64, cmd fsm.Command) *raft.Log {
	op, body := fsm.Encode(cmd)
	h := fsm.Header{Op: op, LogTime: fsm.LogTime(index), Received: 1_700_000_000_000_000}
	return &raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: fsm.AppendEntry(nil, h, body)}
}

var genesis = &fsm.Genesis{Site: "test", CutRows: 1 << 20, CutBytes: 16 << 20, WindowBytes: 1 << 20}

func TestAfterAnEntryThatCannotBeAppliedNothingIsAppliedOrKept(t *testing.T) {
	var told []error
	r, err := cluster.NewReplica(disk.NewMemory(), func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	r.Apply(entry(1, genesis))
	r.Apply(entry(2, clustertest.Reading(t, "d", "r", 1e6, 1)))
	want := r.Digest()
	damaged := entry(3, clustertest.Reading(t, "d", "r", 2e6, 2))
	damaged.Data[len(damaged.Data)-1] ^= 1
	responses := r.ApplyBatch([]*raft.Log{damaged, entry(4, clustertest.Reading(t, "d", "r", 3e6, 3))})
	responses = append(responses, r.Apply(entry(5, clustertest.Reading(t, "d", "r", 4e6, 4))))
	for i, response := range responses {
		if err, ok := response.(error); !ok || !errors.Is(err, fsm.ErrCorrupt) {
			t.Errorf("entry %d is answered with %v, want the error of entry 3", 3+i, response)
		}
	}
	if got := r.Digest(); got != want {
		t.Errorf("digest %s, want %s as before the damaged entry", got, want)
	}
	if len(told) != 1 {
		t.Errorf("told of %v, want one error", told)
	}
	if _, err := r.Snapshot(); !errors.Is(err, fsm.ErrCorrupt) {
		t.Errorf("a snapshot of it: %v, want the error", err)
	}
}

func TestASnapshotDoesNotWaitForSegmentsThatNobodyWrites(t *testing.T) {
	r, err := cluster.NewReplica(disk.NewMemory(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	r.ApplyBatch([]*raft.Log{entry(1, genesis), entry(2, clustertest.Reading(t, "d", "r", 1e6, 1)), entry(3, &fsm.CutCommand{})})
	r.EndWriting()
	snapshot, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	store := raft.NewInmemSnapshotStore()
	sink, err := store.Create(raft.SnapshotVersionMax, 3, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Persist(sink); !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("err = %v, want ErrClosed: the log is kept", err)
	}
}

func TestASegmentThatFindsNoRoomWaitsAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := disk.NewMemory()
		r, err := cluster.NewReplica(d, func(err error) { t.Errorf("the node ends: %v", err) })
		if err != nil {
			t.Fatal(err)
		}
		d.SetCapacity(100)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { r.WriteSegments(ctx) })
		defer wg.Wait()
		defer cancel()
		r.ApplyBatch([]*raft.Log{entry(1, genesis), entry(2, clustertest.Reading(t, "d", "r", 1e6, 1)), entry(3, &fsm.CutCommand{})})
		<-time.After(time.Minute + time.Millisecond) // between two tries
		if names := d.Names("segments/"); len(names) > 0 {
			t.Errorf("%q on a full disk", names)
		}
		d.SetCapacity(0)
		<-time.After(time.Minute)
		if names := d.Names("segments/"); len(names) != 1 {
			t.Errorf("%q once there is room, want one file", names)
		}
	})
}

// A drop may come while a segment of it is being written, as when a log is
// replayed: the file goes when it is whole, and the node goes on.
func TestADropDoesNotTakeAFileFromUnderItsWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := disk.NewMemory()
		r, err := cluster.NewReplica(d, func(err error) { t.Errorf("the node ends: %v", err) })
		if err != nil {
			t.Fatal(err)
		}
		writing, dropped := make(chan struct{}), make(chan struct{})
		d.OnSync(func(name string) {
			if strings.HasSuffix(name, ".parquet.tmp") {
				close(writing)
				<-dropped
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { r.WriteSegments(ctx) })
		defer wg.Wait()
		defer cancel()
		r.ApplyBatch([]*raft.Log{entry(1, genesis), entry(2, fsm.RaiseLevel{Term: 1, Level: fsm.NewestLevel}),
			entry(3, clustertest.Reading(t, "d", "r", 1e6, 1)), entry(4, &fsm.CutCommand{})})
		<-writing
		r.ApplyBatch([]*raft.Log{entry(5, fsm.RetainCommand{Term: 1, From: 2, Reason: "full"})})
		if err := r.RemoveFiles(fsm.Readings); err != nil {
			t.Error(err)
		}
		close(dropped)
		synctest.Wait()
		if err := r.RemoveFiles(fsm.Readings); err != nil {
			t.Error(err)
		}
		if names := d.Names("segments/"); len(names) > 0 {
			t.Errorf("%q are left", names)
		}
	})
}
