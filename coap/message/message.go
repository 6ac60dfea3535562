package message

import (
	"errors"
	"fmt"

	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"
)

// Bounds of a message.
const (
	MaxToken = 8
	// MaxOptions is more than any request needs: 4 KiB of path in segments of
	// 16 bytes.
	MaxOptions = 256

	headerSize    = 4
	payloadMarker = 0xff
	fewOptions    = 16
)

// Message is one datagram in parts. Token, option values and payload that came
// from Parse share memory with the datagram.
type Message struct {
	Type    Type
	Code    Code
	ID      uint16
	Token   []byte // at most MaxToken
	Payload []byte

	options codec.Options // ascending by number
}

// Reset empties a message and keeps its memory.
func (m *Message) Reset() { *m = Message{options: m.options[:0]} }

// Option is the first value of an option.
func (m *Message) Option(n Number) (value []byte, ok bool) {
	for i := range m.options {
		if Number(m.options[i].ID) == n {
			return m.options[i].Value, true
		}
	}
	return nil, false
}

// Uint is an option's value as a number. An option of a wrong length counts as
// absent, as an elective one must (RFC 7252 section 5.4.3).
func (m *Message) Uint(n Number) (value uint32, ok bool) {
	b, ok := m.Option(n)
	if !ok {
		return 0, false
	}
	if r, known := ruleOf(n); known && len(b) > r.max {
		return 0, false
	}
	return uintValue(b)
}

// Values calls yield with each value of a repeatable option, in order. It is
// an iterator: for v := range m.Values(URIPath).
func (m *Message) Values(n Number) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for i := range m.options {
			if Number(m.options[i].ID) == n && !yield(m.options[i].Value) {
				return
			}
		}
	}
}

// Add adds an option after those of its number. The value is kept, not copied.
func (m *Message) Add(n Number, value []byte) {
	m.options = m.options.Add(codec.Option{ID: codec.OptionID(n), Value: value})
}

// AddUint adds an option whose value is a number.
func (m *Message) AddUint(n Number, value uint32) { m.Add(n, appendUint(nil, value)) }

// Append encodes m after b, which it may move.
func (m *Message) Append(b []byte) ([]byte, error) {
	out := codec.Message{
		Type: codec.Type(m.Type), Code: codes.Code(m.Code), MessageID: int32(m.ID),
		Token: m.Token, Options: m.options, Payload: m.Payload,
	}
	at := len(b)
	n, err := coder.DefaultCoder.Encode(out, b[at:cap(b)])
	if errors.Is(err, codec.ErrTooSmall) {
		b = append(b, make([]byte, n)...)[:at]
		n, err = coder.DefaultCoder.Encode(out, b[at:cap(b)])
	}
	if err != nil {
		return b, fmt.Errorf("encode %v message: %w", m.Code, err)
	}
	return b[:at+n], nil
}
