package coap

import "skerry/coap/message"

// session is a peer's own way in and out: DTLS, TCP or TLS. Plain CoAP over UDP
// has none.
type session struct {
	id     uint64 // never used twice by a process
	device string // the device that the peer proved to be; "" over plain TCP
	stream bool   // over TCP: no message layer, nothing is sent again
	gone   bool   // it has ended; guarded by observers.mu
	carrier
	access
}

// carrier brings messages to a session's peer.
type carrier interface {
	// deliver sends a message, which is the carrier's for the call only. It does
	// not wait for the peer: what cannot be sent is dropped, or ends the session.
	deliver(m *message.Message)
}

// access says what the peer of a session may do.
type access interface {
	// mayWrite tells whether it may say something in a device's name.
	mayWrite(device string) bool
}

// mayWrite checks that a request may say something in a device's name. Who
// proved nothing may: plain CoAP is served only where the operator says so.
func (q *call) mayWrite(device string) error {
	s := q.from.session
	if s == nil || s.access == nil || s.mayWrite(device) {
		return nil
	}
	return refuse(message.Forbidden, "%s may not write as %s: post under your own name, or have the operator allow it", s.device, device)
}
