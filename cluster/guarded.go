package cluster

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// hashicorp/raft panics when votes cannot be written and when an entry of the
// log cannot be read. The store has told the node then, which is to end and to
// say why, and a panic would be quicker than its word.

// guarded are raft's log and votes without that.
type guarded struct {
	raft.LogStore
	raft.StableStore
	mute    func()                // nothing that raft says gets out from then on
	read    func(l *raft.Log)     // each entry that raft reads while it starts
	started atomic.Bool           // raft has read its log
	why     atomic.Pointer[error] // why an entry could not be read
}

// startRaft is raft.NewRaft, which returns an error where it would panic over
// what the stores tell it.
func startRaft(c *raft.Config, f raft.FSM, log raft.LogStore, votes raft.StableStore, s raft.SnapshotStore, t raft.Transport, mute func(), read func(*raft.Log)) (*raft.Raft, error) {
	g := &guarded{LogStore: log, StableStore: votes, mute: mute, read: read}
	var r *raft.Raft
	var err error
	var started sync.WaitGroup
	started.Go(func() {
		r, err = raft.NewRaft(c, f, g, g, s, t)
		g.started.Store(true)
	})
	started.Wait()
	if r == nil && err == nil {
		err = *g.why.Load()
	}
	return r, err
}

// IsMonotonic is raft.MonotonicLogStore's.
func (g *guarded) IsMonotonic() bool {
	m, ok := g.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// GetLog is raft.LogStore's. Where an entry cannot be read, raft's goroutine
// ends.
func (g *guarded) GetLog(index uint64, l *raft.Log) error {
	err := g.LogStore.GetLog(index, l)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		g.mute()
		g.why.CompareAndSwap(nil, &err)
		runtime.Goexit()
	}
	if err == nil && !g.started.Load() {
		g.read(l)
	}
	return err
}

// Set is raft.StableStore's.
func (g *guarded) Set(key, value []byte) error { return g.wrote(g.StableStore.Set(key, value)) }

// SetUint64 is raft.StableStore's.
func (g *guarded) SetUint64(key []byte, value uint64) error {
	return g.wrote(g.StableStore.SetUint64(key, value))
}

// wrote lets raft believe that votes were written. Nobody hears of it, and
// nothing else is written after them, so raft can be stopped in its own way.
func (g *guarded) wrote(err error) error {
	if err != nil {
		g.mute()
	}
	return nil
}
