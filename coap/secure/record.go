package secure

import (
	"encoding/binary"
)

// The parts of DTLS records that tell where they belong (RFC 6347 section
// 4.1, RFC 9146 section 4). All else is the library's.
const (
	recordHeader    = 13 // bytes, without a connection ID
	handshakeHeader = 12

	typeAlert     = 21
	typeHandshake = 22
	typeCID       = 25 // a record with a connection ID

	clientHello        = 1
	serverHello        = 2
	helloVerifyRequest = 3

	randomSize = 32 // bytes
	cidSize    = 8  // of the connection IDs given by us
)

// connectionID is what the records of a session carry to us.
type connectionID [cidSize]byte

// record is one record of a datagram. Its bytes are the datagram's.
type record struct {
	kind  byte
	epoch uint16
	cid   []byte // nil without one
	whole []byte
	body  []byte
}

// nextRecord cuts the first record off a datagram. A malformed datagram has
// none from there on.
func nextRecord(b []byte) (r record, rest []byte, ok bool) {
	if len(b) < recordHeader {
		return record{}, nil, false
	}
	head := recordHeader
	r.kind = b[0]
	r.epoch = binary.BigEndian.Uint16(b[3:])
	if r.kind == typeCID {
		if head += cidSize; len(b) < head {
			return record{}, nil, false
		}
		r.cid = b[recordHeader-2 : head-2]
	}
	size := head + int(binary.BigEndian.Uint16(b[head-2:]))
	if len(b) < size {
		return record{}, nil, false
	}
	r.whole, r.body = b[:size], b[head:size]
	return r, b[size:], true
}

// cidOf is the first connection ID in a datagram.
func cidOf(b []byte) (id connectionID, ok bool) {
	for {
		r, rest, ok := nextRecord(b)
		if !ok {
			return id, false
		}
		if r.cid != nil {
			copy(id[:], r.cid)
			return id, true
		}
		b = rest
	}
}

// protected is a copy of a datagram without its records of epoch 0.
func protected(b []byte) []byte {
	kept := make([]byte, 0, len(b))
	for {
		r, rest, ok := nextRecord(b)
		if !ok {
			return kept
		}
		if r.epoch > 0 {
			kept = append(kept, r.whole...)
		}
		b = rest
	}
}

// hello is a ClientHello as far as it tells one from another.
type hello struct {
	record   []byte // its record's epoch and sequence number
	sequence uint16 // of the message: 0 begins a handshake
	random   [randomSize]byte
	cookie   []byte
}

// helloOf reads a ClientHello, or its first fragment, at the start of a
// datagram (RFC 5246 section 7.4.1.2, RFC 6347 section 4.2.1).
func helloOf(b []byte) (h hello, ok bool) {
	r, _, ok := nextRecord(b)
	if !ok || r.kind != typeHandshake || r.epoch != 0 || len(r.body) < handshakeHeader || r.body[0] != clientHello {
		return hello{}, false
	}
	if offset := r.body[6:9]; offset[0]|offset[1]|offset[2] != 0 {
		return hello{}, false
	}
	h.record = r.whole[3:11]
	h.sequence = binary.BigEndian.Uint16(r.body[4:])
	rest := r.body[handshakeHeader:]
	if len(rest) < 2+randomSize {
		return hello{}, false
	}
	rest = rest[2+copy(h.random[:], rest[2:]):]
	if _, rest, ok = opaque(rest); !ok { // the session ID
		return hello{}, false
	}
	h.cookie, _, ok = opaque(rest)
	return h, ok
}

// opaque cuts off a value that has a byte of length before it.
func opaque(b []byte) (value, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}

// isServerHello tells whether a datagram of ours begins with a ServerHello,
// which follows a cookie.
func isServerHello(b []byte) bool {
	r, _, ok := nextRecord(b)
	return ok && r.kind == typeHandshake && r.epoch == 0 && len(r.body) > 0 && r.body[0] == serverHello
}
