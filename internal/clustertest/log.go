package clustertest

import (
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// logDir is where a member's log lies on its disk.
const logDir = "raft/log"

// life is a member's log during one life: what it stores stays, but a write
// takes the time that a disk takes.
type life struct {
	over chan struct{} // closed by a power cut

	mu    sync.Mutex
	delay func() time.Duration // of a write; nil is none
	gate  chan struct{}        // writes wait until it is closed; nil is open
}

// sync takes the time of a write to the log.
func (l *life) sync(name string) {
	if !strings.HasPrefix(name, logDir+"/") {
		return
	}
	l.mu.Lock()
	delay, gate := l.delay, l.gate
	l.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-l.over:
		}
	}
	if delay != nil {
		select {
		case <-time.After(delay()):
		case <-l.over:
		}
	}
}

// watchedLog calls onStore with each command before it is stored.
type watchedLog struct {
	raft.LogStore
	onStore func(entry []byte)
}

// IsMonotonic is raft.MonotonicLogStore's.
func (l watchedLog) IsMonotonic() bool { return l.LogStore.(raft.MonotonicLogStore).IsMonotonic() }

// StoreLogs is raft.LogStore's.
func (l watchedLog) StoreLogs(logs []*raft.Log) error {
	for _, e := range logs {
		if e.Type == raft.LogCommand {
			l.onStore(e.Data)
		}
	}
	return l.LogStore.StoreLogs(logs)
}

// StoreLog is raft.LogStore's.
func (l watchedLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// log is what the member's node gets for the log on its disk.
func (m *Member) log(on raft.LogStore) raft.LogStore {
	if m.onStore == nil {
		return on
	}
	return watchedLog{on, m.onStore}
}

// OnStore has f called, in the member's next lives, with each command before it
// is stored.
func (m *Member) OnStore(f func(entry []byte)) { m.onStore = f }

// SlowLog makes each write to the member's log take what delay says, until it
// is started again.
func (m *Member) SlowLog(delay func() time.Duration) {
	m.life.mu.Lock()
	defer m.life.mu.Unlock()
	m.life.delay = delay
}

// StallLog makes writes to the member's log wait until resume is called.
func (m *Member) StallLog() (resume func()) {
	gate := make(chan struct{})
	m.life.mu.Lock()
	defer m.life.mu.Unlock()
	m.life.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}
