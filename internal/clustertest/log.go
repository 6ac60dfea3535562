package clustertest

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// life is a member's log during one life: what it stores stays, but a write
// takes the time that a disk takes, and none is taken after a power cut.
type life struct {
	*raft.InmemStore
	over    chan struct{} // closed by a power cut
	onStore func(entry []byte)

	mu    sync.Mutex
	delay func() time.Duration // of a write; nil is none
	gate  chan struct{}        // writes wait until it is closed; nil is open
}

var errPower = errors.New("the power was cut")

// StoreLogs is raft.LogStore's.
func (l *life) StoreLogs(logs []*raft.Log) error {
	if err := l.wait(); err != nil {
		return err
	}
	for _, e := range logs {
		if l.onStore != nil && e.Type == raft.LogCommand {
			l.onStore(e.Data)
		}
	}
	return l.InmemStore.StoreLogs(logs)
}

// StoreLog is raft.LogStore's.
func (l *life) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// DeleteRange is raft.LogStore's.
func (l *life) DeleteRange(low, high uint64) error {
	if err := l.wait(); err != nil {
		return err
	}
	return l.InmemStore.DeleteRange(low, high)
}

// wait takes the time of a write.
func (l *life) wait() error {
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
	select {
	case <-l.over:
		return errPower
	default:
		return nil
	}
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
