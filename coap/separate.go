package coap

import (
	"time"

	"skerry/coap/message"
)

// separateAfter is how long the client of a CON waits for what it reads before
// it is told that the answer comes later: shorter than ACK_TIMEOUT, so that it
// need not ask again.
const separateAfter = 1500 * time.Millisecond

// promise is the empty ACK of a read that takes long. Only a read has one: a
// device that posts may sleep after the ACK, and would not hear what became of
// its reading.
type promise struct {
	timer *time.Timer
	out   chan struct{} // closed when the ACK is sent
}

// promise acknowledges a request that has just come with an empty ACK, unless it
// is kept before. It returns nil where there is nothing to acknowledge.
func (s *Server) promise(to *envelope) *promise {
	if to.kind != message.CON || to.session != nil && to.session.stream {
		return nil
	}
	p := &promise{out: make(chan struct{})}
	ack := *to
	p.timer = time.AfterFunc(separateAfter, func() {
		defer close(p.out)
		box := s.boxes.Get().(*outbox)
		defer s.boxes.Put(box)
		box.acknowledge(&ack)
		box.flush()
	})
	return p
}

// keep ends the promise. It returns true when the ACK is out already, so that
// the answer has to come in a message of its own.
func (p *promise) keep() bool {
	if p == nil || p.timer.Stop() {
		return false
	}
	<-p.out
	return true
}

// answerLate sends an answer in a CON of its own (RFC 7252 section 5.2.2), or
// in a NON where there is no room for its retransmission.
func (s *Server) answerLate(box *outbox, to *envelope, r *reply) {
	r = box.shaped(to, r)
	if to.muted(r.code) {
		return // the ACK was all
	}
	if s.observers.dispatch(box, to, separate, r, true) {
		s.observers.poke()
		return
	}
	alone := *to
	alone.kind = message.NON
	alone.watch, alone.ask = nil, nil
	box.add(&alone, r)
}
