package clustertest

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/transport"
)

// wrapped is a network whose raft transport is what Wrap makes of it.
func (m *Member) wrapped(n transport.Network) transport.Network {
	if m.Wrap == nil {
		return n
	}
	return wrapped{n, m.Wrap(n.Raft())}
}

type wrapped struct {
	transport.Network
	raft raft.Transport
}

// Raft is transport.Network's.
func (w wrapped) Raft() raft.Transport { return w.raft }

// Failed waits until the member cannot go on and returns why. Crash it then.
func (m *Member) Failed() error {
	m.site.tb.Helper()
	select {
	case err := <-m.ran:
		m.ran <- err
		return err
	case <-time.After(settleTimeout):
		m.site.tb.Fatalf("%s goes on after %s: %s", m.Name, settleTimeout, m.site.describe())
		return nil
	}
}

// Image is what a copy of a member's disk holds.
type Image struct {
	disk      *disk.Memory
	logs      *raft.InmemStore
	snapshots *raft.InmemSnapshotStore
}

// Image copies the disk of a member, as a power cut would leave it. A snapshot
// of raft's is shared with the member, which must not take another.
func (m *Member) Image() Image {
	m.site.tb.Helper()
	copied := raft.NewInmemStore()
	first, err := m.logs.FirstIndex()
	last, err2 := m.logs.LastIndex()
	err = errors.Join(err, err2)
	for i := first; err == nil && i != 0 && i <= last; i++ {
		var l raft.Log
		if err = m.logs.GetLog(i, &l); err == nil {
			err = copied.StoreLog(&l)
		}
	}
	for _, key := range []string{"CurrentTerm", "LastVoteTerm"} {
		if v, e := m.logs.GetUint64([]byte(key)); e == nil {
			err = errors.Join(err, copied.SetUint64([]byte(key), v))
		}
	}
	if v, e := m.logs.Get([]byte("LastVoteCand")); e == nil {
		err = errors.Join(err, copied.Set([]byte("LastVoteCand"), v))
	}
	if err != nil {
		m.site.tb.Fatalf("copy the log of %s: %v", m.Name, err)
	}
	return Image{m.Disk.Image(), copied, m.snapshots}
}

// Put puts an image into the place of the disk of a member that is down.
func (m *Member) Put(i Image) { m.Disk, m.logs, m.snapshots = i.disk, i.logs, i.snapshots }

// Lose takes the last entries out of the log of a member that is down, which
// will notice.
func (m *Member) Lose(entries uint64) {
	m.site.tb.Helper()
	last, err := m.logs.LastIndex()
	if err == nil {
		err = m.logs.DeleteRange(last-entries+1, last)
	}
	if err != nil {
		m.site.tb.Fatal(err)
	}
	m.damage = "entries are missing"
}

func (m *Member) recovered() error {
	m.damage = ""
	return nil
}

// forget empties the log where the disk is another server's than before.
func (m *Member) forget() {
	b, err := disk.ReadFile(m.Disk, "node.json", 1<<20)
	if err != nil {
		return
	}
	var node struct {
		Replaces string `json:"replaces"`
	}
	if json.Unmarshal(b, &node) == nil && node.Replaces != m.replaces {
		m.replaces, m.damage = node.Replaces, ""
		m.logs, m.snapshots = raft.NewInmemStore(), raft.NewInmemSnapshotStore()
		m.life.InmemStore = m.logs
	}
}
