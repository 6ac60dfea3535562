package key_test

import (
	"net/netip"
	"testing"

	"skerry/coap/key"
	"skerry/fsm"
)

func TestOfSession_tells_messages_apart(t *testing.T) {
	m := key.NewMaker([16]byte{1})
	first := m.OfSession("pump-7", 1, []byte("said"))
	if again := m.OfSession("pump-7", 1, []byte("said")); again != first {
		t.Error("the same message has another key")
	}
	for name, other := range map[string]fsm.Key{
		"another identity":         m.OfSession("pump-8", 1, []byte("said")),
		"another session":          m.OfSession("pump-7", 2, []byte("said")),
		"another message":          m.OfSession("pump-7", 1, []byte("sad")),
		"another site":             key.NewMaker([16]byte{2}).OfSession("pump-7", 1, []byte("said")),
		"a datagram of plain CoAP": m.OfDatagram(netip.AddrPort{}, []byte("said")),
		"an identity that runs on": m.OfSession("pump-71", 1, []byte("said")),
		"a session without a peer": m.OfSession("", 1, []byte("said")),
	} {
		if other == first {
			t.Errorf("%s has the same key", name)
		}
	}
}
