package coap_test

import (
	"testing"
	"time"
)

// TestAServerThatStopsDoesNotWaitForASiteThatIsSilent has a post on its way to a
// site that never decides.
func TestAServerThatStopsDoesNotWaitForASiteThatIsSilent(t *testing.T) {
	s := newStore(t)
	arrived := make(chan struct{}, 1)
	s.set(func(s *store) { s.gate, s.proposed = make(chan struct{}), arrived })
	server, stop := s.serveUntil(t)
	peer := dialRaw(t, server.Addr().String())
	peer.send(post(t, 8, "aa", "1"))
	<-arrived
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
	case <-time.After(2 * patience):
		t.Fatal("the server waits for ever")
	}
	if n := len(server.Stats().Responses); n > 0 {
		t.Errorf("%d answers were given, want none: the device sends again, to whoever serves then", n)
	}
}
