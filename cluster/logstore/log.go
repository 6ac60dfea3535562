package logstore

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// CacheBytes bounds the entries kept in memory for followers that are close.
const CacheBytes = 8 << 20

var errFailed = errors.New("an earlier write to the log failed: the node must be started again")

// Log is a raft.LogStore with a cache of the newest entries, bounded in bytes,
// and a count of the bytes written.
type Log struct {
	raft.LogStore
	failed  func(error)
	broken  atomic.Bool
	written atomic.Int64

	mu sync.Mutex
	// ring holds the entries first..first+len(ring)-1.
	ring  []*raft.Log
	first uint64
	size  int
}

// NewLog wraps inner. failed is called once, with the first write error.
func NewLog(inner raft.LogStore, failed func(error)) *Log {
	return &Log{LogStore: inner, failed: failed}
}

// Written is the number of bytes of entries stored since Open.
func (l *Log) Written() int64 { return l.written.Load() }

// IsMonotonic is raft.MonotonicLogStore's.
func (l *Log) IsMonotonic() bool {
	m, ok := l.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// GetLog is raft.LogStore's.
func (l *Log) GetLog(index uint64, out *raft.Log) error {
	l.mu.Lock()
	if index >= l.first && index-l.first < uint64(len(l.ring)) {
		*out = *l.ring[index-l.first]
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return l.LogStore.GetLog(index, out)
}

// StoreLog is raft.LogStore's.
func (l *Log) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs is raft.LogStore's.
func (l *Log) StoreLogs(logs []*raft.Log) error {
	if l.broken.Load() {
		return errFailed
	}
	if err := l.LogStore.StoreLogs(logs); err != nil {
		return l.fail(err)
	}
	n := 0
	for _, e := range logs {
		n += len(e.Data)
	}
	l.written.Add(int64(n))
	l.remember(logs)
	return nil
}

// DeleteRange is raft.LogStore's.
func (l *Log) DeleteRange(low, high uint64) error {
	if l.broken.Load() {
		return errFailed
	}
	l.mu.Lock()
	l.ring, l.size = nil, 0 // rare: at snapshots and conflicts
	l.mu.Unlock()
	if err := l.LogStore.DeleteRange(low, high); err != nil {
		return l.fail(err)
	}
	return nil
}

func (l *Log) fail(err error) error {
	if !l.broken.Swap(true) && l.failed != nil {
		l.failed(err)
	}
	return err
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
