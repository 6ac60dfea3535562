package coap

import (
	"context"
	"time"

	"skerry/coap/message"
	"skerry/coap/secure"
)

// sessionBuffer holds the largest datagram that a DTLS session hands out, in
// bytes.
const sessionBuffer = 8 << 10

// sessionLinger is how long a session that was heard holds a buffer for more.
const sessionLinger = 100 * time.Millisecond

// acceptSessions serves each DTLS session by a goroutine of its own. Sessions
// are taken until ctx is done, and served until the listener is closed; working
// is the context of what they ask for.
func (s *Server) acceptSessions(ctx, working context.Context) {
	for {
		in, err := s.doors.secure.Accept(ctx)
		if err != nil {
			return // ctx is done, or the listener closed
		}
		s.doors.work.Go(func() { s.serveSession(working, in) })
	}
}

// serveSession serves one session to its end.
func (s *Server) serveSession(ctx context.Context, in *secure.Session) {
	end := func() { _ = in.Close() } // an error would be the socket's, which ends all
	defer end()
	p, ok := s.passOf(in)
	if !ok {
		return
	}
	g := s.receive(in.ID(), false, secureCarrier{s, in}, p, end)
	defer g.depart()
	for in.Wait() == nil {
		g.listen(ctx, in)
	}
}

// listen serves what comes in a session until it is silent, or ends.
func (g *guest) listen(ctx context.Context, in *secure.Session) {
	b := g.s.doors.buffers.Get().(*[sessionBuffer]byte)
	defer g.s.doors.buffers.Put(b)
	for {
		n, err := in.Read(b[:], sessionLinger)
		if err != nil {
			return
		}
		g.datagram(ctx, source{from: in.Remote(), datagram: b[:n]})
	}
}

// passOf is the pass of a session's peer; ok is false when its key or device
// has gone since the handshake.
func (s *Server) passOf(in *secure.Session) (*pass, bool) {
	name, kind := in.Identity()
	if kind == secure.X509 {
		return s.passByName(name)
	}
	return s.passByKey(name)
}

// datagram serves what came in a record of DTLS.
func (g *guest) datagram(ctx context.Context, from source) {
	g.turn(ctx, from, len(from.datagram), func(ctx context.Context, d *desk, from *source) {
		kind, err := message.Parse(from.datagram, &d.msg)
		if !g.revoked(d, kind, from.from) {
			d.judge(ctx, from, kind, err)
		}
	})
}

// secureCarrier sends over DTLS.
type secureCarrier struct {
	s  *Server
	in *secure.Session
}

func (c secureCarrier) deliver(m *message.Message) {
	b, err := m.Append(nil)
	if err != nil {
		panic(err) // messages are made here, of bounded parts
	}
	if _, err := c.in.Write(b); err != nil {
		c.s.stats.unsent.Add(1)
	}
}
