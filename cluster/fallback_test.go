package cluster_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/gossip"
	"skerry/cluster/logstore"
	"skerry/cluster/transport"
	"skerry/internal/clustertest"
)

// lone is a site of one node whose snapshots are real files.
type lone struct {
	tb        testing.TB
	dir       string
	disk      disk.Disk
	logs      *raft.InmemStore
	snapshots *busyStore
	node      *cluster.Node
	stop      func()
}

// busyStore calls busy, once, when a snapshot is written.
type busyStore struct {
	*raft.FileSnapshotStore
	mu   sync.Mutex
	busy func()
}

type busySink struct {
	raft.SnapshotSink
	s *busyStore
}

func (s *busyStore) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.FileSnapshotStore.Create(v, index, term, c, ci, t)
	return busySink{sink, s}, err
}

func (s busySink) Write(b []byte) (int, error) {
	s.s.mu.Lock()
	busy := s.s.busy
	s.s.busy = nil
	s.s.mu.Unlock()
	if busy != nil {
		busy()
	}
	return s.SnapshotSink.Write(b)
}

func newLone(tb testing.TB) *lone {
	l := &lone{tb: tb, dir: tb.TempDir(), disk: disk.NewMemory(), logs: raft.NewInmemStore()}
	files, err := raft.NewFileSnapshotStoreWithLogger(l.dir, 2, hclog.NewNullLogger())
	if err != nil {
		tb.Fatal(err)
	}
	l.snapshots = &busyStore{FileSnapshotStore: files}
	return l
}

func (l *lone) open() error {
	node, err := cluster.Open(cluster.Config{
		Name: "n1", Site: "test", BootstrapExpect: 1,
		Seams: cluster.Seams{
			Disk: l.disk,
			Network: func(id raft.ServerID) (transport.Network, error) {
				return transport.NewMemory().Join(id, "n1:7420"), nil
			},
			Gossip: func(self gossip.Peer) (gossip.Gossip, error) { return gossip.NewMemory().Join(self), nil },
			Logs: func(failed func(error)) (cluster.Logs, error) {
				return cluster.Logs{
					Log: logstore.NewLog(l.logs, failed), Stable: l.logs, Snapshot: l.snapshots,
					Close: func() error { return nil },
				}, nil
			},
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- node.Run(ctx) }()
	l.node, l.stop = node, func() {
		cancel()
		if err := <-ran; err != nil {
			l.tb.Error(err)
		}
		if err := node.Close(); err != nil {
			l.tb.Error(err)
		}
	}
	for end := time.Now().Add(time.Minute); !node.Status().Ready; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			l.tb.Fatal("the node did not begin within a minute")
		}
	}
	return nil
}

func (l *lone) mustOpen() {
	l.tb.Helper()
	if err := l.open(); err != nil {
		l.tb.Fatal(err)
	}
}

func (l *lone) post(n int) {
	for range n {
		if _, err := l.node.Propose(context.Background(), clustertest.Reading(l.tb, "d", "r", 1e6, 1)); err != nil {
			l.tb.Error(err)
		}
	}
}

func (l *lone) snapshot() {
	if err := l.node.Snapshot(); err != nil {
		l.tb.Error(err)
	}
}

// rot flips a byte of the newest snapshot.
func (l *lone) rot() {
	list, err := l.snapshots.List()
	if err != nil {
		l.tb.Fatal(err)
	}
	name := filepath.Join(l.dir, "snapshots", list[0].ID, "state.bin")
	b, err := os.ReadFile(name)
	if err != nil {
		l.tb.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		l.tb.Fatal(err)
	}
}

func TestTheLogReachesBackToTheOlderSnapshotWhateverCameWhileTheNewerWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLone(t)
		l.mustOpen()
		l.post(20)
		l.snapshot()
		l.post(20)
		l.snapshots.busy = func() { l.post(400) }
		l.snapshot()
		l.stop()
		l.rot()
		first, err := l.logs.FirstIndex()
		if err != nil {
			t.Fatal(err)
		}
		if list, err := l.snapshots.List(); err != nil || len(list) != 2 || first > list[1].Index+1 {
			t.Fatalf("the log begins at %d, snapshots are %+v (%v)", first, list, err)
		}
		l.mustOpen()
		if got := l.node.Status().LastSeq; got != 440 {
			t.Errorf("the node came back with %d readings, want 440", got)
		}
		l.stop()
	})
}

func TestANodeThatLostItsSnapshotsSaysWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLone(t)
		l.mustOpen()
		for range 2 { // the second one drops log
			l.post(600)
			l.snapshot()
		}
		l.stop()
		if err := os.RemoveAll(filepath.Join(l.dir, "snapshots")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(l.dir, "snapshots"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := l.open(); err == nil || !strings.Contains(err.Error(), "restore the site from its bucket") {
			t.Errorf("err = %v, want the advice to restore the only node of a site", err)
		}
	})
}

// A server that forgot its votes may vote twice: it is no longer the same.
func TestANodeThatLostItsLogDoesNotComeBackUnderItsIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLone(t)
		l.mustOpen()
		l.post(1)
		l.stop()
		l.logs = raft.NewInmemStore()
		if err := l.open(); err == nil || !strings.Contains(err.Error(), "restore the site from its bucket") {
			t.Errorf("err = %v, want the advice to restore the only node of a site", err)
			l.stop()
		}
	})
}
