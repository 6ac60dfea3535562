package coap

import "sync"

// gate lets the goroutines of sessions do their turns until the server stops.
// The zero value is open.
type gate struct {
	mu     sync.RWMutex
	closed bool
}

// enter begins a turn, which leave ends; false when the server stops.
func (g *gate) enter() bool {
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return false
	}
	return true
}

func (g *gate) leave() { g.mu.RUnlock() }

// close waits for the turns and lets none begin any more.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
}
