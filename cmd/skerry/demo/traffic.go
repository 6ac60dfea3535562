package demo

import (
	"sync"
	"time"

	"skerry/cmd/skerry/bench"
)

// traffic is what the devices have seen so far.
type traffic struct {
	rate    float64 // messages acknowledged a second, since the picture before
	p50     time.Duration
	p99     time.Duration // of acknowledgements since the picture before
	acked   uint64        // messages acknowledged
	retried uint64        // copies sent again after silence or a refusal
}

// meter measures the devices' exchanges.
type meter struct {
	mu      sync.Mutex
	all     bench.Histogram // guarded by mu, as all below
	recent  bench.Histogram // since last
	last    time.Time
	acked   uint64
	retried uint64
}

// ack counts one acknowledged message.
func (m *meter) ack(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked++
	m.all.Record(took)
	m.recent.Record(took)
}

// retry counts an exchange that ended without an acknowledgement.
func (m *meter) retry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retried++
}

// take is the traffic since the last take.
func (m *meter) take(now time.Time) traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := traffic{p50: m.recent.Quantile(0.5), p99: m.recent.Quantile(0.99), acked: m.acked, retried: m.retried}
	if seconds := now.Sub(m.last).Seconds(); !m.last.IsZero() && seconds > 0 {
		t.rate = float64(m.recent.Count()) / seconds
	}
	m.recent, m.last = bench.Histogram{}, now
	return t
}

// quantile is that of all acknowledged messages.
func (m *meter) quantile(q float64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all.Quantile(q)
}
