//go:build peer

package message_test

import (
	"math/rand/v2"
	"testing"

	"skerry/coap/message"
)

// maxMutated is the size that mutations do not grow a datagram beyond.
const maxMutated = 400

// mutator makes datagrams: whole ones, those of testdata/datagrams.txt, and
// both with a few things wrong. The same seed makes the same ones.
type mutator struct {
	*rand.Rand
	known [][]byte
}

func newMutator(tb testing.TB, seed uint64) *mutator {
	m := &mutator{Rand: rand.New(rand.NewPCG(seed, 0))}
	for _, d := range knownDatagrams(tb) {
		m.known = append(m.known, d.bytes)
	}
	return m
}

// next makes a datagram; a third of them are whole.
func (m *mutator) next() []byte {
	b := m.whole()
	if m.IntN(4) == 0 {
		b = append([]byte(nil), m.known[m.IntN(len(m.known))]...)
	}
	for range m.IntN(3) * m.IntN(3) {
		b = m.mutate(b)
	}
	return b
}

// whole encodes a message of random parts.
func (m *mutator) whole() []byte {
	classes := [...]message.Code{0, 2 << 5, 4 << 5, 5 << 5}
	msg := message.Message{
		Type: message.Type(m.IntN(4)), Code: classes[m.IntN(4)] + message.Code(m.IntN(32)), ID: uint16(m.Uint32()),
	}
	if msg.Code != message.Empty {
		msg.Token = m.bytes(m.size())
		msg.Payload = m.bytes(m.size())
		for range m.IntN(8) {
			msg.Add(m.number(), m.bytes(m.size()))
		}
	}
	b, err := msg.Append(nil)
	if err != nil {
		panic(err) // parts within their bounds have an encoding
	}
	return b
}

// size is a length on either side of those where the encoding changes.
func (m *mutator) size() int {
	switch m.IntN(8) {
	case 0:
		return 12 + m.IntN(4)
	case 1:
		return m.IntN(message.MaxExtendedToken + 1)
	}
	return m.IntN(9)
}

func (m *mutator) number() message.Number {
	switch m.IntN(8) {
	case 0:
		return message.Number(1 + m.IntN(65535))
	case 1:
		return message.Number(260 + m.IntN(40))
	}
	return message.Number(1 + m.IntN(64))
}

func (m *mutator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	return b
}

// mutate does one thing to a datagram.
func (m *mutator) mutate(b []byte) []byte {
	if len(b) == 0 {
		return m.bytes(1 + m.IntN(8))
	}
	telling := [...]byte{0, 0xff, 0xd0, 0xe0, 0xf0, 0x0d, 0x0e, 0x0f, 0xdd, 0xee, 0xb1, 0x40, 0x80}
	at := m.IntN(len(b))
	switch m.IntN(9) {
	case 0:
		b[at] ^= 1 << m.IntN(8)
	case 1:
		b[at] = telling[m.IntN(len(telling))]
	case 2:
		b[at] = byte(m.Uint32())
	case 3:
		return b[:at]
	case 4:
		return append(b[:at], b[at+1:]...)
	case 5:
		return insert(b, at, []byte{telling[m.IntN(len(telling))]})
	case 6:
		return insert(b, at, append([]byte(nil), b[at:at+m.IntN(len(b)-at)+1]...))
	case 7:
		return append(b, telling[m.IntN(len(telling))])
	case 8:
		b[0] = b[0]&0xf0 | byte(m.IntN(16))
	}
	return b
}

func insert(b []byte, at int, more []byte) []byte {
	if len(b)+len(more) > maxMutated {
		return b
	}
	return append(b[:at:at], append(more, b[at:]...)...)
}
