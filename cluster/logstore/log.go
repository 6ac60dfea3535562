package logstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hashicorp/raft"

	"skerry/cluster/logstore/segmented"
)

// ErrRotten: an entry is not on disk as it was stored.
var ErrRotten = segmented.ErrRotten

// CacheBytes bounds the entries kept in memory for followers that are close.
const CacheBytes = 8 << 20

// Log is a raft.LogStore with a cache of the newest entries, bounded in bytes,
// a count of the bytes written, a guard over its writes, and the hint.
type Log struct {
	inner   raft.LogStore
	guard   *guard
	hint    *hint // nil where none is kept
	written atomic.Int64

	mu sync.Mutex
	// ring holds the entries first..first+len(ring)-1.
	ring  []*raft.Log
	first uint64
	size  int
}

func newLog(inner raft.LogStore, g *guard, h *hint) *Log {
	return &Log{inner: inner, guard: g, hint: h}
}

// Written is the number of bytes of entries stored since Open.
func (l *Log) Written() int64 { return l.written.Load() }

// Reserved is how many bytes can be appended without taking more of the disk,
// records and all; -1 where the store cannot tell.
func (l *Log) Reserved() int64 {
	if r, ok := l.inner.(interface{ Reserved() int64 }); ok {
		return r.Reserved()
	}
	return -1
}

// IsMonotonic is raft.MonotonicLogStore's. It is true of any inner store: raft
// then empties the log when a leader's snapshot was installed, and does not keep
// entries beyond it that are not the leader's (see issue 697).
func (l *Log) IsMonotonic() bool { return true }

// FirstIndex is raft.LogStore's.
func (l *Log) FirstIndex() (uint64, error) { return l.inner.FirstIndex() }

// LastIndex is raft.LogStore's.
func (l *Log) LastIndex() (uint64, error) { return l.inner.LastIndex() }

// GetLog is raft.LogStore's. An entry that the disk does not give as it was
// stored is told as a failure: raft does not go on without it, and the next
// start makes the node convalescent.
func (l *Log) GetLog(index uint64, out *raft.Log) error {
	l.mu.Lock()
	if index >= l.first && index-l.first < uint64(len(l.ring)) {
		*out = *l.ring[index-l.first]
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	err := l.inner.GetLog(index, out)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return l.guard.fail(err)
	}
	return err
}

// Check reads an entry from the disk, past the cache, into out. It fails nothing:
// raft holds the entry, or what it did, in memory. It returns ErrRotten, also for
// what the disk does not give any more, and raft.ErrLogNotFound.
func (l *Log) Check(index uint64, out *raft.Log) error {
	err := l.inner.GetLog(index, out)
	if errors.Is(err, syscall.EIO) {
		return fmt.Errorf("%w: %w", ErrRotten, err)
	}
	return err
}

// Drop deletes all entries up to index, which a snapshot is to cover.
func (l *Log) Drop(index uint64) error {
	first, err := l.FirstIndex()
	if err != nil || first == 0 || first > index {
		return err
	}
	return l.DeleteRange(first, index)
}

// StoreLog is raft.LogStore's.
func (l *Log) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs is raft.LogStore's.
func (l *Log) StoreLogs(logs []*raft.Log) error {
	err := l.guard.write("append to the log", func() error { return l.inner.StoreLogs(logs) })
	if err != nil || len(logs) == 0 {
		return err
	}
	n := 0
	for _, e := range logs {
		n += len(e.Data)
	}
	l.written.Add(int64(n))
	l.remember(logs)
	if l.hint != nil {
		l.hint.raise(logs[len(logs)-1].Index)
	}
	return nil
}

// DeleteRange is raft.LogStore's.
func (l *Log) DeleteRange(low, high uint64) error {
	l.mu.Lock()
	l.ring, l.size = nil, 0 // rare: at snapshots and conflicts
	l.mu.Unlock()
	return l.guard.write("delete from the log", func() error { return l.deleteRange(low, high) })
}

func (l *Log) deleteRange(low, high uint64) error {
	first, err := l.inner.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.inner.LastIndex()
	if err != nil || l.hint == nil {
		return errors.Join(err, l.inner.DeleteRange(low, high))
	}
	switch {
	case high < last:
		if err := l.inner.DeleteRange(low, high); err != nil {
			return err
		}
		l.hint.drop(high + 1)
		return nil
	case low <= first: // all of it: what is left is the snapshot's
		err = l.hint.lower(0)
	default:
		err = l.hint.lower(low - 1)
	}
	// The hint comes first: a cut in between must not leave it above the log.
	if err != nil {
		return err
	}
	return l.inner.DeleteRange(low, high)
}

func (l *Log) remember(logs []*raft.Log) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range logs {
		if len(l.ring) == 0 || e.Index != l.first+uint64(len(l.ring)) {
			l.ring, l.size, l.first = nil, 0, e.Index
		}
		l.ring = append(l.ring, e)
		l.size += len(e.Data)
	}
	drop := 0
	for l.size > CacheBytes && drop < len(l.ring) {
		l.size -= len(l.ring[drop].Data)
		l.ring[drop] = nil
		drop++
	}
	l.ring, l.first = l.ring[drop:], l.first+uint64(drop)
}
