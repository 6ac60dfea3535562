package cluster_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/cluster/gossip"
	"skerry/cluster/transport"
	"skerry/internal/clustertest"
)

// lone is a site of one node.
type lone struct {
	tb   testing.TB
	own  *busyDisk
	disk disk.Disk // own, unless a test has another
	node *cluster.Node
	stop func()
}

// busyDisk calls busy, once, when the data of a snapshot is written.
type busyDisk struct {
	*disk.Memory
	mu   sync.Mutex
	busy func()
}

type busyFile struct {
	disk.File
	d      *busyDisk
	writes int
}

const snapshotFiles = "raft/snapshots/"

func (d *busyDisk) Create(name string) (disk.File, error) {
	f, err := d.Memory.Create(name)
	if strings.HasPrefix(name, snapshotFiles) {
		return &busyFile{File: f, d: d}, err
	}
	return f, err
}

func (f *busyFile) Write(b []byte) (int, error) {
	if f.writes++; f.writes == 1 { // the description
		return f.File.Write(b)
	}
	f.d.mu.Lock()
	busy := f.d.busy
	f.d.busy = nil
	f.d.mu.Unlock()
	if busy != nil {
		busy()
	}
	return f.File.Write(b)
}

func newLone(tb testing.TB) *lone {
	own := &busyDisk{Memory: disk.NewMemory()}
	return &lone{tb: tb, own: own, disk: own}
}

func (l *lone) open() error {
	node, err := cluster.Open(cluster.Config{
		Name: "n1", Site: "test", BootstrapExpect: 1,
		Seams: cluster.Seams{
			Disk: l.disk, SegmentBytes: 64 << 10,
			Network: func(id raft.ServerID) (transport.Network, error) {
				return transport.NewMemory().Join(id, "n1:7420"), nil
			},
			Gossip: func(self gossip.Peer) (gossip.Gossip, error) { return gossip.NewMemory().Join(self), nil },
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

// rot flips a bit in the middle of the newest snapshot.
func (l *lone) rot() {
	names := l.own.Names(snapshotFiles)
	newest := names[len(names)-1]
	b, err := disk.ReadFile(l.own, newest, 1<<30)
	if err != nil || !l.own.Corrupt(newest, int64(len(b)*3/4), 0) {
		l.tb.Fatalf("%s was not damaged (%v)", newest, err)
	}
}

// remove removes files, as somebody does who means well.
func (l *lone) remove(prefix string) {
	for _, name := range l.own.Names(prefix) {
		if err := l.own.Remove(name); err != nil {
			l.tb.Fatal(err)
		}
	}
}

func TestTheLogReachesBackToTheOlderSnapshotWhateverCameWhileTheNewerWasWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLone(t)
		l.mustOpen()
		l.post(20)
		l.snapshot()
		l.post(20)
		l.own.busy = func() { l.post(400) }
		l.snapshot()
		l.stop()
		l.rot()
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
		l.remove(snapshotFiles)
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
		l.remove("raft/")
		if err := l.open(); err == nil || !strings.Contains(err.Error(), "restore the site from its bucket") {
			t.Errorf("err = %v, want the advice to restore the only node of a site", err)
			l.stop()
		}
	})
}
