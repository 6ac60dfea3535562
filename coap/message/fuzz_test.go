package message_test

import (
	"bytes"
	"testing"

	"skerry/coap/message"
)

// FuzzParse checks that what is taken for a request survives its encoding, and
// that whatever is malformed is rejected by RST only in a CON.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"4202 0008 aabb b172 ff31", "4902 0008", "4000 0008", "4002 0008 ff", "4025 0008",
		// Bytes that brought down other stacks: libcoap issues 970 and 971, contiki 2240.
		"54014d32c98669bf410d", "5006da6e432e", "42434242",
		// Uri-Port of three bytes, If-None-Match of one, a truncated option (libcoap 2150).
		"40020008 73010203", "40020008 5100", "60440008 b572", "70000008 b572",
	} {
		f.Add(datagram(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var m, again message.Message
		kind, err := message.Parse(b, &m)
		if !bytes.Equal(b, before) {
			t.Fatal("the datagram was changed")
		}
		switch kind {
		case message.Reset, message.BadRequestOption:
			if m.Type != message.CON {
				t.Fatalf("type %d is answered by %d", m.Type, kind)
			}
			return
		case message.Request:
			if err != nil {
				t.Fatalf("a request with the error %v", err)
			}
		default:
			return
		}
		encoded, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if kind, err := message.Parse(encoded, &again); kind != message.Request {
			t.Fatalf("%x came back as %d: %v", encoded, kind, err)
		}
		if again.Code != m.Code || again.ID != m.ID || !bytes.Equal(again.Token, m.Token) || !bytes.Equal(again.Payload, m.Payload) {
			t.Fatalf("%x came back as another message", b)
		}
	})
}
