package coap

import (
	"context"
	"net/netip"
	"time"

	"skerry/coap/message"
)

// guest is the peer of a session at one of the doors. One goroutine reads its
// messages, and borrows a desk for each: most guests are asleep.
type guest struct {
	s       *Server
	peer    *peer
	session session
	bare    carrier // the session's, whatever became of its pass
	pass    *pass   // nil for a peer that proved nothing
	close   func()  // ends the session
}

// receive makes a guest of a session's peer. It is told of the end by depart.
func (s *Server) receive(id uint64, stream bool, c carrier, p *pass, close func()) *guest {
	g := &guest{
		s: s, peer: &peer{tokens: s.cfg.Limits.PeerBurst, at: time.Now()},
		session: session{id: id, stream: stream, carrier: c}, bare: c, pass: p, close: close,
	}
	if p != nil {
		g.session.device, g.session.access = p.name, p
		g.session.carrier = guarded{c, p, close}
		s.doors.note(g)
	}
	return g
}

// depart ends what was under way for the guest.
func (g *guest) depart() {
	g.s.doors.forget(g)
	g.s.observers.leave(&g.session)
}

// turn serves one message of size bytes. What comes after a pass was lost is
// answered with 4.01 at most, and ends the session.
func (g *guest) turn(ctx context.Context, from source, size int, serve func(context.Context, *desk, *source)) {
	if !g.s.doors.gate.enter() {
		return // the peer sends again, to whoever serves then
	}
	defer g.s.doors.gate.leave()
	now := time.Now()
	g.s.stats.datagrams.Add(1)
	standing := g.peer.charge(&g.s.cfg.Limits, size, now)
	if standing == flooding {
		g.s.stats.refused[reasonFlood].Add(1)
		return
	}
	from.peer, from.over, from.session = g.peer, standing == over, &g.session
	d := g.s.doors.desks.Get().(*desk)
	defer g.s.doors.desks.Put(d)
	d.begin(now, 1)
	serve(ctx, d, &from)
	d.end(ctx)
}

// revoked tells whether the guest has lost its pass. Then it has been told so,
// by the answer to its request in d.msg, and its session ends.
func (g *guest) revoked(d *desk, kind message.Kind, from netip.AddrPort) bool {
	if g.pass == nil || g.pass.valid() {
		return false
	}
	if kind == message.Request {
		last := session{id: g.session.id, stream: g.session.stream, carrier: g.bare}
		to := d.envelope(&source{peer: g.peer, session: &last, from: from})
		d.refuse(&to, refusedRevoked)
	}
	g.close()
	return true
}

var refusedRevoked = refuse(message.Unauthorized, "the key or the device is not registered any more: ask the operator")

// guarded sends only while its peer's pass is valid: a device that was revoked
// gets no notification either.
type guarded struct {
	carrier
	pass  *pass
	close func()
}

func (c guarded) deliver(m *message.Message) {
	if !c.pass.valid() {
		c.close()
		return
	}
	c.carrier.deliver(m)
}
