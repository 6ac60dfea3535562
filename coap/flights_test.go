package coap_test

import (
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

// TestWhatWaitedInVainMayBeStoredAlready has a message wait for its proposal at
// one gateway while its copy is stored through another.
func TestWhatWaitedInVainMayBeStoredAlready(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	defer close(gate)
	s.set(func(s *store) { s.gate, s.gated = gate, "pump-7" })
	server := s.serve(t, func(c *coap.Config) { c.Limits.QueueWait = 200 * time.Millisecond })
	peer, other := dialRaw(t, server.Addr().String()), dialRaw(t, s.serve(t).Addr().String())
	fill(t, s, server, peer)
	named := coap.Request{Method: message.POST, Path: coap.ReadingPath("pump-8", "level"), Query: []string{"id=1"}, Payload: []byte("99")}
	peer.send(request(t, 1, "waits", named))
	await(t, "it waits", func() bool { return server.Stats().Flights == 17 })
	other.exchange(request(t, 1, "goes", named)).want(t, message.Changed, "goes")
	peer.answer().want(t, message.Changed, "waits")
	if n := len(s.readings()); n != 1 {
		t.Errorf("%d readings are stored, want 1", n)
	}
}

// TestWhatIsDecidedTakesNoRoom has room for one message at a time.
func TestWhatIsDecidedTakesNoRoom(t *testing.T) {
	s := newStore(t)
	server := s.serve(t, func(c *coap.Config) { c.Limits.FlightBytes, c.Limits.Flights, c.Limits.PeerFlights = 1, 1, 1 })
	peer := dialRaw(t, server.Addr().String())
	for id := range uint16(3) {
		peer.exchange(post(t, id, "aa", "1")).want(t, message.Changed, "aa")
		if st := server.Stats(); st.Flights != 0 || st.Bytes != 0 {
			t.Errorf("%d messages of %d bytes are on their way, want none", st.Flights, st.Bytes)
		}
	}
}

// TestTheLastBlockOfANamedBodyAgain has it come while the site decides, and when
// it has decided.
func TestTheLastBlockOfANamedBodyAgain(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	body, a := noise(1_100), octets()
	a.query = "id=boot-1"
	peer.ask(a.part(t, body, 0, 6)).want(t, message.Continue)
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	last := a.part(t, body, 1, 6)
	peer.send(last.encode(t))
	last.id = 0x999
	peer.send(last.encode(t))
	peer.silent()
	close(gate)
	for range 2 {
		if got := peer.answer(); got.code != message.Changed {
			t.Errorf("got %v %q, want 2.04", got.code, got.payload)
		}
	}
	peer.ask(last).want(t, message.Changed)
	once(t, s, body)
}
