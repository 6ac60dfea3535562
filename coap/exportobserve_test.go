package coap

import (
	"context"
	"time"

	"skerry/coap/message"
)

// Visitor is the peer of a session that needs no socket, so that a test can run
// in a bubble of testing/synctest.
type Visitor struct {
	desk    *desk
	from    source
	deliver func(encoded []byte)
}

type visitorCarrier struct{ v *Visitor }

func (c visitorCarrier) deliver(m *message.Message) {
	b, err := m.Append(nil)
	if err != nil {
		panic(err)
	}
	c.v.deliver(b)
}

// NewVisitor opens a session. What the server sends goes to deliver.
func NewVisitor(s *Server, deliver func(encoded []byte)) *Visitor {
	v := &Visitor{desk: newDesk(s), deliver: deliver}
	v.from = source{peer: &peer{}, session: &session{carrier: visitorCarrier{v}}}
	return v
}

// Send hands the server a datagram of the session.
func (v *Visitor) Send(datagram []byte) {
	v.desk.begin(time.Now(), 1)
	v.from.datagram = datagram
	v.desk.datagram(context.Background(), &v.from)
	v.desk.end(context.Background())
}

// Leave ends the session.
func (v *Visitor) Leave() { v.desk.s.observers.leave(v.from.session) }

// SetAskAgain changes how long after Max-Age a client asks again.
func (c *Client) SetAskAgain(after time.Duration) { c.askAgain = after }

// RunObservers does what Run does for observers alone.
func (s *Server) RunObservers(ctx context.Context) { s.observers.run(ctx) }
