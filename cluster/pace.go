package cluster

import (
	"context"
	"sync"
	"time"
)

// paceBurst is how much of a pace may be used at once after a rest.
const paceBurst = 200 * time.Millisecond

// pace bounds bytes per second; 0 is no bound. It is safe for concurrent use.
type pace struct {
	bytes int64 // per second

	mu   sync.Mutex
	free time.Time // when what was taken so far is paid for
}

func newPace(bytes int64) *pace { return &pace{bytes: bytes} }

// take waits until n bytes more may pass.
func (p *pace) take(ctx context.Context, n int) error {
	if p.bytes <= 0 || n <= 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	if early := now.Add(-paceBurst); p.free.Before(early) {
		p.free = early
	}
	p.free = p.free.Add(time.Duration(float64(n) / float64(p.bytes) * float64(time.Second)))
	wait := p.free.Sub(now)
	p.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	return pause(ctx, wait)
}
