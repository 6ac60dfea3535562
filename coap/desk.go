package coap

import (
	"context"
	"net/netip"
	"time"

	"skerry/coap/block"
	"skerry/coap/datagram"
	"skerry/coap/key"
	"skerry/coap/message"
)

// desk serves the messages that one goroutine reads, whatever they came over:
// the datagrams of the UDP socket, or those of one session. All it holds is its
// own. A turn is what one read brought: begin, then each message, then end.
type desk struct {
	s          *Server
	out        *outbox
	msg        message.Message
	names      names
	keys       *key.Maker // nil until the site has begun
	challenged challenges // of plain UDP
	call       call       // the request in hand

	// Of the turn in hand.
	now      time.Time
	expected int // messages
	flights  []*flight
	chunk    *chunk // where the last of them lies, nil before the first
	verdicts []verdict
}

func newDesk(s *Server) *desk {
	return &desk{s: s, out: newOutbox(s), names: names{}}
}

// source is where a message came from, and who sent it.
type source struct {
	peer     *peer
	over     bool           // the peer is beyond its rate
	session  *session       // nil for plain CoAP over UDP
	from     netip.AddrPort // the peer's address
	local    datagram.Local // where it came to, of plain UDP
	datagram []byte         // of what came over a stream: its number, as TCP brings each message once
	again    bool           // its message id had come before
	replayed bool           // it was held and is served now
}

// call is a request on its way through the desk. It shares the memory of the
// datagram.
type call struct {
	from   *source
	to     envelope
	at     target
	body   []byte // the payload, or all of a body that came in blocks
	pieces bool   // it came in several
	upload block.ID
	seen   *sighting // of its sender, nil while nobody is known
}

// begin begins a turn of about n messages.
func (d *desk) begin(now time.Time, n int) {
	d.now, d.expected = now, n
	d.flights, d.verdicts = d.flights[:0], d.verdicts[:0]
}

// end gives the turn's posts to the intake and sends what was answered.
func (d *desk) end(ctx context.Context) {
	if len(d.flights) > 0 {
		d.submit(ctx)
	}
	if d.chunk != nil {
		d.chunk.done()
		d.chunk = nil
	}
	d.out.flush()
}

// submit gives the posts of a turn to the intake and answers those it decides.
func (d *desk) submit(ctx context.Context) {
	var start []*load
	d.verdicts, start = d.s.intake.submit(d.flights, d.verdicts)
	for _, l := range start {
		d.s.propose(ctx, d.out, l)
	}
	for i, v := range d.verdicts {
		switch v.kind {
		case isKnown:
			d.s.stats.duplicates.Add(1)
			d.out.add(&d.flights[i].to, &stored)
		case isRefused:
			d.turnAway(&d.flights[i].post, v.refused)
		}
		if v.kind != isTaken {
			d.flights[i].chunk.done()
		}
	}
}

// room is the chunk of the next post, which has room for its flight and its
// record.
func (d *desk) room() *chunk {
	if d.chunk != nil && d.chunk.full() { // requests that were held came on top
		d.chunk.done()
		d.chunk = nil
	}
	if d.chunk == nil {
		d.chunk = d.s.chunks.get(d.expected)
	}
	return d.chunk
}

// fly takes a post up into the turn, in the chunk where its record lies.
func (d *desk) fly(p *post) {
	k := d.chunk
	if k == nil || len(k.flights) == cap(k.flights) {
		k = d.room()
	}
	k.used.Add(1)
	k.flights = append(k.flights, flight{post: *p, arrived: d.now, chunk: k})
	d.flights = append(d.flights, &k.flights[len(k.flights)-1])
}

// turnAway refuses a post of which nothing was sent, unless the site remembers
// an earlier copy: "nothing was stored" must be true of every copy.
func (d *desk) turnAway(p *post, why *refusal) {
	if _, known := d.s.cfg.Store.Known(p.key, p.content); known && why != refusedConflict {
		d.s.stats.duplicates.Add(1)
		d.out.add(&p.to, &stored)
		return
	}
	d.s.diary.refuse(p.seen, why, d.now)
	d.refuse(&p.to, why)
}

// datagram judges a datagram of the UDP socket.
func (d *desk) datagram(ctx context.Context, from *source) {
	kind, err := message.Parse(from.datagram, &d.msg)
	d.judge(ctx, from, kind, err)
}

// judge serves or rejects the message in d.msg, as it was parsed.
func (d *desk) judge(ctx context.Context, from *source, kind message.Kind, err error) {
	if err != nil {
		d.s.stats.malformed.Add(1)
	}
	switch kind {
	case message.Request:
		from.follow(d.msg.ID)
		d.request(ctx, from)
	case message.BadRequestOption:
		to := d.envelope(from)
		d.refuse(&to, refuse(message.BadOption, "%s", err))
	case message.Reset:
		if err == nil {
			d.s.stats.pings.Add(1)
			from.follow(d.msg.ID)
		}
		d.out.reset(d.msg.ID, from)
	case message.Response:
		d.response(ctx, from)
	}
}

// response takes what answers a message of ours: a CON of ours acknowledged, or
// a message rejected. A response proper is none of ours, as we send no requests.
func (d *desk) response(ctx context.Context, from *source) {
	switch {
	case d.msg.Type == message.RST && from.session == nil && d.prove(ctx, from):
	case d.msg.Type == message.CON:
		d.out.reset(d.msg.ID, from)
	case d.msg.Type == message.NON:
	case d.s.observers.answered(from.endpoint(), d.msg.ID, d.msg.Type == message.RST) && from.session == nil:
		from.peer.proven = d.now.Add(provenFor)
	}
}

// request serves the request in d.msg.
func (d *desk) request(ctx context.Context, from *source) {
	d.s.stats.requests[d.msg.Code].Add(1)
	q := &d.call
	*q = call{from: from, to: d.envelope(from), body: d.msg.Payload}
	answer, err := d.serve(ctx, q)
	var refused *refusal
	if err != nil {
		refused = refusalOf(err)
	}
	d.mention(q, refused)
	switch {
	case refused != nil:
		d.refuse(&q.to, refused)
	case answer != nil:
		d.answer(q, answer)
	}
}

// serve returns the answer, nil when it comes later.
func (d *desk) serve(ctx context.Context, q *call) (*reply, error) {
	if _, ok := d.msg.Option(message.ProxyURI); ok {
		return nil, refuse(message.ProxyingNotSupported, "this is no proxy: leave Proxy-Uri out")
	}
	if _, ok := d.msg.Option(message.ProxyScheme); ok {
		return nil, refuse(message.ProxyingNotSupported, "this is no proxy: leave Proxy-Scheme out")
	}
	d.checkEcho(q)
	var err error
	if q.at, err = d.route(); err != nil {
		return nil, err
	}
	handle := q.at.place.handler(d.msg.Code)
	if handle == nil {
		return nil, refuse(message.MethodNotAllowed, "%s is not taken here: %s", d.msg.Code.Method(), q.at.place.methods())
	}
	if err := d.checkConditions(q); err != nil {
		return nil, err
	}
	if whole, answer, err := d.assemble(q); !whole {
		return answer, err
	}
	return handle(d, ctx, q)
}

// answer sends an answer, unless it would make a peer that proved nothing a
// means to flood another, or have it kept for such a peer: then the peer is
// asked to prove its address first.
func (d *desk) answer(q *call, r *reply) {
	size := d.out.add(&q.to, r)
	if q.to.room > 0 && (size > q.to.room || q.to.ask != nil && q.to.ask.unkept) {
		d.out.takeBack()
		d.challenge(q)
	}
}

func (d *desk) refuse(to *envelope, refused *refusal) {
	d.s.stats.refused[refused.reason].Add(1)
	answer := refused.reply()
	d.out.add(to, &answer)
}
