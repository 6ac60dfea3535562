package cluster

import (
	"context"
	"sync"
)

// era is the newest term that this node has heard of a leader of. A leader
// that was paused, or whose cable was pulled, does not even refuse: whoever
// waits for its answer stops when the next one is known.
type era struct {
	mu   sync.Mutex
	term uint64
	over context.CancelFunc // of ctx
	ctx  context.Context    // done when a later term has a leader
}

// reach notes that term has a leader.
func (e *era) reach(term uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx != nil && term <= e.term {
		return
	}
	if e.ctx != nil {
		e.over()
	}
	e.term = term
	e.ctx, e.over = context.WithCancel(context.Background())
}

// within is ctx that also ends with term; stop must be called.
func (e *era) within(ctx context.Context, term uint64) (_ context.Context, stop func()) {
	e.reach(term)
	ctx, cancel := context.WithCancel(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if term < e.term {
		cancel()
		return ctx, cancel
	}
	release := context.AfterFunc(e.ctx, cancel)
	return ctx, func() { release(); cancel() }
}
