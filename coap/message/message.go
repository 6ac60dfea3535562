package message

import (
	"errors"
	"fmt"
	"slices"

	codec "github.com/plgd-dev/go-coap/v3/message"
)

// Bounds of a message.
const (
	// MaxToken is the longest token of RFC 7252, and the longest that a client of
	// ours makes.
	MaxToken = 8
	// MaxExtendedToken is the longest that is taken and echoed (RFC 8974 allows
	// 65,804): the state of a stateless proxy fits.
	MaxExtendedToken = 256
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
	Token   []byte // at most MaxExtendedToken
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

// Conditional tells whether m has an If-Match or If-None-Match option.
func (m *Message) Conditional() bool {
	for i := range m.options {
		switch n := Number(m.options[i].ID); {
		case n == IfMatch || n == IfNoneMatch:
			return true
		case n > IfNoneMatch:
			return false
		}
	}
	return false
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
	if len(m.Token) > MaxExtendedToken {
		return b, fmt.Errorf("encode %v message: %w", m.Code, ErrToken)
	}
	length, extra := tokenLength(len(m.Token))
	b = append(b, 1<<6|byte(m.Type)<<4|length, byte(m.Code), byte(m.ID>>8), byte(m.ID))
	b = append(b, extra...)
	b = append(b, m.Token...)
	n, err := m.options.Marshal(b[len(b):cap(b)])
	if errors.Is(err, codec.ErrTooSmall) {
		b = slices.Grow(b, n)
		n, err = m.options.Marshal(b[len(b):cap(b)])
	}
	if err != nil {
		return b, fmt.Errorf("encode %v message: %w", m.Code, err)
	}
	b = b[:len(b)+n]
	if len(m.Payload) > 0 {
		b = append(b, payloadMarker)
		b = append(b, m.Payload...)
	}
	return b, nil
}

// The length of a token is 4 bits, of which the last values stand for more
// bytes of length (RFC 8974 section 2.1).
const (
	oneByteMore  = 13
	twoBytesMore = 14
	oneByteFrom  = 13  // what its byte counts from
	twoBytesFrom = 269 // what its bytes count from
)

// tokenLength is the length field of a token of n bytes, and its extension.
func tokenLength(n int) (length byte, extra []byte) {
	switch {
	case n < oneByteMore:
		return byte(n), nil
	case n < twoBytesFrom:
		return oneByteMore, []byte{byte(n - oneByteFrom)}
	}
	n -= twoBytesFrom
	return twoBytesMore, []byte{byte(n >> 8), byte(n)}
}
