package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	codec "github.com/plgd-dev/go-coap/v3/message"
)

// Over a stream a message has no version, type or ID, and says its length (RFC
// 8323 section 3.2):
//
//	byte 0      length nibble, token length nibble
//	0, 1, 2, 4  more of the length, where the nibble is 13, 14, 15
//	1           code
//	...         token, options, payload marker, payload
//
// The length counts options, marker and payload. Extended tokens are not taken,
// as they must be agreed upon first (RFC 8974 section 2.2.1).
const (
	lengthByte  = 13 // one more byte, counted from oneByteFrom
	lengthShort = 14 // two more bytes, counted from twoBytesFrom
	lengthLong  = 15 // four more bytes, counted from fourBytesFrom

	fourBytesFrom = 65805
)

// MaxFrameHead is how many bytes tell a frame's size, at most.
const MaxFrameHead = 5

// The codes of signals (RFC 8323 section 5).
const (
	CSM     Code = 7<<5 | 1
	Ping    Code = 7<<5 | 2
	Pong    Code = 7<<5 | 3
	Release Code = 7<<5 | 4
	Abort   Code = 7<<5 | 5
)

// ErrFrame: bytes that are not one message of a stream.
var ErrFrame = errors.New("not one message of a stream")

// IsSignal tells whether c is of the class of signals.
func (c Code) IsSignal() bool { return c.Class() == 7 }

// FrameSize is the size in bytes of the frame that b begins, with its head; ok
// is false while b is too short to tell. The size may be beyond any bound.
func FrameSize(b []byte) (size int64, ok bool) {
	length, head, ok := frameLength(b)
	if !ok {
		return 0, false
	}
	return int64(head) + 1 + int64(b[0]&0xf) + length, true
}

// frameLength reads the length, and how many bytes stand before the code.
func frameLength(b []byte) (length int64, head int, ok bool) {
	if len(b) == 0 {
		return 0, 0, false
	}
	switch nibble := b[0] >> 4; {
	case nibble < lengthByte:
		return int64(nibble), 1, true
	case nibble == lengthByte && len(b) >= 2:
		return oneByteFrom + int64(b[1]), 2, true
	case nibble == lengthShort && len(b) >= 3:
		return twoBytesFrom + int64(binary.BigEndian.Uint16(b[1:])), 3, true
	case nibble == lengthLong && len(b) >= 5:
		return fourBytesFrom + int64(binary.BigEndian.Uint32(b[1:])), 5, true
	}
	return 0, 0, false
}

// ParseStream reads one frame into m and says what it asks for: Request,
// BadRequestOption, Response, or Silence for an Empty message and for signals.
// Type and ID mean nothing. An error that is no *OptionError is one of the
// stream, which ends then: nobody knows where its next message begins.
func ParseStream(b []byte, m *Message) (Kind, error) {
	m.Reset()
	size, ok := FrameSize(b)
	if !ok || size != int64(len(b)) {
		return Silence, ErrFrame
	}
	_, head, _ := frameLength(b)
	token := int(b[0] & 0xf)
	code := Code(b[head])
	switch {
	case token > MaxToken:
		return Silence, ErrToken
	case code.Class() != 0 && !code.IsResponse() && !code.IsSignal():
		return Silence, ErrClass
	}
	b = b[head+1:]
	payload, err := m.parseOptions(b[token:])
	if err != nil {
		return Silence, err
	}
	m.Code, m.Token, m.Payload = code, b[:token:token], payload
	switch {
	case code == Empty || code.IsSignal():
		return Silence, nil
	case code.IsResponse():
		return Response, nil
	}
	if n, bad := unknownCritical(m.options); bad {
		return BadRequestOption, &OptionError{n}
	}
	return Request, nil
}

// AppendStream encodes m as a frame after b, which it may move.
func (m *Message) AppendStream(b []byte) ([]byte, error) {
	if len(m.Token) > MaxToken {
		return b, fmt.Errorf("encode %v message: %w", m.Code, ErrToken)
	}
	length, err := m.options.Marshal(nil)
	if err != nil && !errors.Is(err, codec.ErrTooSmall) {
		return b, fmt.Errorf("encode %v message: %w", m.Code, err)
	}
	options := length
	if len(m.Payload) > 0 {
		length += 1 + len(m.Payload)
	}
	b = appendLength(b, length, len(m.Token))
	b = append(b, byte(m.Code))
	b = append(b, m.Token...)
	b = slices.Grow(b, length)
	if _, err := m.options.Marshal(b[len(b) : len(b)+options]); err != nil {
		return b, fmt.Errorf("encode %v message: %w", m.Code, err)
	}
	b = b[:len(b)+options]
	if len(m.Payload) > 0 {
		b = append(b, payloadMarker)
		b = append(b, m.Payload...)
	}
	return b, nil
}

// appendLength writes a frame's first byte and the rest of its length.
func appendLength(b []byte, length, token int) []byte {
	switch {
	case length < oneByteFrom:
		return append(b, byte(length)<<4|byte(token))
	case length < twoBytesFrom:
		return append(b, lengthByte<<4|byte(token), byte(length-oneByteFrom))
	case length < fourBytesFrom:
		b = append(b, lengthShort<<4|byte(token))
		return binary.BigEndian.AppendUint16(b, uint16(length-twoBytesFrom))
	}
	b = append(b, lengthLong<<4|byte(token))
	return binary.BigEndian.AppendUint32(b, uint32(length-fourBytesFrom))
}
