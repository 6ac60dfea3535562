package message

import (
	"encoding/binary"
	"errors"
	"fmt"

	codec "github.com/plgd-dev/go-coap/v3/message"
)

// Kind is what a datagram asks of its receiver.
type Kind uint8

const (
	// Silence: not for us, or malformed in a way that must not be answered.
	Silence Kind = iota
	// Reset: answer with RST and the message's ID. It is a malformed CON, a
	// response that nobody asked for, or a ping.
	Reset
	// Request: Code is a method, and all critical options are understood.
	Request
	// BadRequestOption: a CON request with a critical option that is not
	// understood; answer 4.02.
	BadRequestOption
	// Response: an ACK or RST, or a response in a CON or NON. Only those who
	// send requests want it.
	Response
)

// What is wrong with a datagram.
var (
	ErrVersion = errors.New("not CoAP version 1")
	ErrShort   = errors.New("shorter than its header says")
	ErrToken   = errors.New("token is longer than 256 bytes, or its length is reserved")
	ErrOptions = errors.New("options are malformed")
	ErrMarker  = errors.New("payload marker without a payload")
	ErrEmpty   = errors.New("empty message with a token, options or payload")
	ErrClass   = errors.New("code of a reserved class")
)

// OptionError names a critical option that is not understood.
type OptionError struct{ Number Number }

func (e *OptionError) Error() string {
	return fmt.Sprintf("option %d is critical and not understood, or its value has a wrong length, or it stands twice", e.Number)
}

// Parse reads a datagram into m and says what it asks for. A malformed one is
// never more than its own loss: the error says why, for counting. Where the
// error is an *OptionError, m is whole; for any other only Type and ID are
// set, and those not when the header is cut short.
//
// A NON that may not be processed is dropped in silence, which RFC 7252
// section 4.3 allows and which gives a spoofer nothing.
func Parse(b []byte, m *Message) (Kind, error) {
	m.Reset()
	if len(b) < headerSize {
		return Silence, ErrShort
	}
	if b[0]>>6 != 1 {
		return Silence, ErrVersion
	}
	m.Type = Type(b[0] >> 4 & 3)
	m.ID = binary.BigEndian.Uint16(b[2:])
	if err := m.parseBody(b); err != nil {
		return m.rejection(), err
	}
	switch {
	case m.Type == ACK || m.Type == RST:
		return Response, nil
	case m.Code == Empty: // a ping (RFC 7252 section 4.3)
		return m.rejection(), nil
	case m.Code.IsResponse():
		return Response, nil
	}
	if n, bad := unknownCritical(m.options); bad {
		if m.Type == CON {
			return BadRequestOption, &OptionError{n}
		}
		return Silence, &OptionError{n}
	}
	return Request, nil
}

// rejection is how a message that cannot be processed is rejected: a CON by
// RST, all others by silence (RFC 7252 sections 4.2 and 4.3).
func (m *Message) rejection() Kind {
	if m.Type == CON {
		return Reset
	}
	return Silence
}

// parseBody reads what follows the type and ID.
func (m *Message) parseBody(b []byte) error {
	code := Code(b[1])
	switch {
	case code == Empty && len(b) > headerSize, code == Empty && b[0]&0xf > 0:
		return ErrEmpty
	case code.Class() != 0 && !code.IsResponse():
		return ErrClass
	}
	token, rest, err := splitToken(b[0]&0xf, b[headerSize:])
	if err != nil {
		return err
	}
	payload, err := m.parseOptions(rest)
	if err != nil {
		return err
	}
	m.Code, m.Token, m.Payload = code, token, payload
	return nil
}

// splitToken takes the token off what follows the header, by the length field
// of the header (RFC 7252 section 3, RFC 8974 section 2.1).
func splitToken(length byte, b []byte) (token, rest []byte, err error) {
	size := int(length)
	switch {
	case length <= MaxToken:
	case length == oneByteMore:
		if len(b) < 1 {
			return nil, nil, ErrShort
		}
		size, b = oneByteFrom+int(b[0]), b[1:]
	case length == twoBytesMore:
		if len(b) < 2 {
			return nil, nil, ErrShort
		}
		size, b = twoBytesFrom+int(binary.BigEndian.Uint16(b)), b[2:]
	default:
		return nil, nil, ErrToken
	}
	if size > MaxExtendedToken {
		return nil, nil, ErrToken
	}
	if len(b) < size {
		return nil, nil, ErrShort
	}
	return b[:size:size], b[size:], nil
}

// parseOptions reads the options and returns the payload. The codec is given
// no table of options, so that it hides none of a wrong length.
func (m *Message) parseOptions(b []byte) (payload []byte, err error) {
	n, err := m.decodeOptions(b)
	if err != nil {
		m.options = m.options[:0]
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if n == len(b) && n > 0 && b[n-1] == payloadMarker && m.endsWithMarker(b) {
		m.options = m.options[:0]
		return nil, ErrMarker
	}
	return b[n:], nil
}

// endsWithMarker tells a marker at the end from an option value that ends in
// the same byte: without a marker the options are whole.
func (m *Message) endsWithMarker(b []byte) bool {
	n, err := m.decodeOptions(b[:len(b)-1])
	if err == nil && n == len(b)-1 {
		return true
	}
	_, err = m.decodeOptions(b)
	return err != nil
}

// decodeOptions fills m.options, with more room when the codec asks for it.
func (m *Message) decodeOptions(b []byte) (n int, err error) {
	if cap(m.options) == 0 {
		m.options = make(codec.Options, 0, fewOptions)
	}
	for {
		m.options = m.options[:0]
		n, err = m.options.Unmarshal(b, nil)
		if !errors.Is(err, codec.ErrOptionsTooSmall) || cap(m.options) >= MaxOptions {
			return n, err
		}
		m.options = make(codec.Options, 0, 2*cap(m.options))
	}
}
