package coap

import (
	"context"
	"encoding/binary"

	"skerry/coap/message"
	"skerry/coap/stream"
)

// acceptStream makes the handler of a connection over TCP or TLS.
func (s *Server) acceptStream(ctx context.Context, c *stream.Conn) stream.Handler {
	end := func() { _ = c.Close() } // the connection is lost in any case
	var p *pass
	if c.Identity() != "" {
		var ok bool
		if p, ok = s.passByName(c.Identity()); !ok {
			end() // the device has gone since the handshake
		}
	}
	return &streamGuest{guest: s.receive(c.ID(), true, streamCarrier{c}, p, end), ctx: ctx, conn: c}
}

// streamGuest is the peer of a connection.
type streamGuest struct {
	*guest
	ctx    context.Context // of the listener, for all that the peer asks for
	conn   *stream.Conn
	number uint64 // of the last message
}

// Handle serves a message. Over a stream a response is none of ours, and there
// is no message layer that could reject it.
func (g *streamGuest) Handle(m *message.Message, kind message.Kind, err error) {
	if kind != message.Request && kind != message.BadRequestOption {
		return
	}
	g.number++
	from := source{from: g.conn.Remote(), datagram: binary.BigEndian.AppendUint64(nil, g.number)}
	g.turn(g.ctx, from, len(m.Payload), func(ctx context.Context, d *desk, from *source) {
		own := d.msg
		defer func() { d.msg = own }()
		d.msg = *m // its memory is ours for the call only: the desk serves others then
		if !g.revoked(d, kind, from.from) {
			d.judge(ctx, from, kind, err)
		}
	})
}

// Ended is told of the connection's end.
func (g *streamGuest) Ended() { g.depart() }

// streamCarrier sends over TCP or TLS. An empty message belongs to the message
// layer, which a stream has not.
type streamCarrier struct{ conn *stream.Conn }

func (c streamCarrier) deliver(m *message.Message) {
	if m.Code != message.Empty {
		_ = c.conn.Send(m) // its error is the connection's end
	}
}
