package message_test

import (
	"testing"

	"skerry/coap/message"
)

func BenchmarkParse(b *testing.B) {
	in := datagram(b, "44 02 00 08 aabbccdd b1 72 06 70756d702d37 0b 74656d7065726174757265 ff 32312e36")
	var m message.Message
	b.ReportAllocs()
	for b.Loop() {
		if kind, err := message.Parse(in, &m); kind != message.Request {
			b.Fatal(kind, err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	m := message.Message{Type: message.ACK, Code: message.Changed, ID: 8, Token: []byte("aabb")}
	out := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Append(out); err != nil {
			b.Fatal(err)
		}
	}
}
