package coap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"skerry/coap/key"
	"skerry/coap/message"
	"skerry/fsm"
)

// maxReadErrors is how often in a row reading the socket may fail before the
// server gives up.
const maxReadErrors = 100

// reader is the one goroutine that reads the socket. All it holds is its own.
type reader struct {
	s     *Server
	in    []datagram
	out   *outbox
	msg   message.Message
	peers *peers
	names names
	keys  *key.Maker // nil until the site has begun

	// Of the read in hand.
	now      time.Time
	expected int // datagrams
	posts    []post
	records  []fsm.Record // handed to the intake with the posts
	verdicts []verdict
}

func newReader(s *Server) *reader {
	r := &reader{s: s, out: &outbox{s: s}, peers: newPeers(s.cfg.Limits), names: names{}}
	r.in = make([]datagram, readBatch)
	for i := range r.in {
		r.in[i].Buffers = [][]byte{make([]byte, maxDatagram)}
		if s.socket.anycast {
			r.in[i].OOB = make([]byte, controlSize)
		}
	}
	return r
}

// run reads until the socket's deadline is set or the socket is closed.
func (r *reader) run(ctx context.Context) error {
	failed := 0
	for {
		n, err := r.s.socket.batch.ReadBatch(r.in, 0)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			if failed++; failed > maxReadErrors {
				return fmt.Errorf("coap: read: %w", err)
			}
			continue
		}
		failed = 0
		r.turn(ctx, r.in[:n])
	}
}

// turn handles what one system call read.
func (r *reader) turn(ctx context.Context, in []datagram) {
	r.now = time.Now()
	r.posts, r.records, r.verdicts = r.posts[:0], nil, r.verdicts[:0]
	r.expected = len(in)
	for i := range in {
		r.handle(ctx, &in[i])
	}
	r.s.stats.peers.Store(int64(r.peers.len()))
	if len(r.posts) > 0 {
		r.submit(ctx)
	}
	r.out.flush()
}

// submit gives the posts of a read to the intake and answers those it decides.
func (r *reader) submit(ctx context.Context) {
	var start []*load
	r.verdicts, start = r.s.intake.submit(r.posts, r.now, r.verdicts)
	for _, l := range start {
		r.s.propose(ctx, l)
	}
	for i, v := range r.verdicts {
		switch v.kind {
		case isKnown:
			r.s.stats.duplicates.Add(1)
			r.out.add(&r.posts[i].to, &stored)
		case isRefused:
			r.turnAway(&r.posts[i], v.refused)
		}
	}
	clear(r.posts) // keep no reading alive
}

// turnAway refuses a post of which nothing was sent, unless the site remembers
// an earlier copy: "nothing was stored" must be true of every copy.
func (r *reader) turnAway(p *post, why *refusal) {
	if _, known := r.s.cfg.Store.Known(p.key, p.content); known && why != refusedConflict {
		r.s.stats.duplicates.Add(1)
		r.out.add(&p.to, &stored)
		return
	}
	r.refuse(&p.to, why)
}

// handle judges one datagram.
func (r *reader) handle(ctx context.Context, d *datagram) {
	r.s.stats.datagrams.Add(1)
	addr, ok := d.Addr.(*net.UDPAddr)
	if !ok {
		return
	}
	from := netip.AddrPortFrom(addr.AddrPort().Addr().Unmap(), addr.AddrPort().Port())
	who, standing := r.peers.meet(from, d.N, r.now)
	if standing == flooding {
		r.s.stats.refused[reasonFlood].Add(1)
		return
	}
	whole := d.Buffers[0][:d.N]
	kind, err := message.Parse(whole, &r.msg)
	if err != nil {
		r.s.stats.malformed.Add(1)
	}
	switch kind {
	case message.Request:
		r.request(ctx, whole, who, standing == over, r.envelope(d, addr, from))
	case message.BadRequestOption:
		to := r.envelope(d, addr, from)
		r.refuse(&to, refuse(message.BadOption, "%s", err))
	case message.Reset:
		if err == nil {
			r.s.stats.pings.Add(1)
		}
		r.out.reset(r.msg.ID, addr, r.control(d))
	case message.Response:
		// We sent no request, and notifications that could be reset come later.
		if r.msg.Type == message.CON {
			r.out.reset(r.msg.ID, addr, r.control(d))
		}
	}
}

func (r *reader) envelope(d *datagram, addr *net.UDPAddr, from netip.AddrPort) envelope {
	e := envelope{addr: addr, from: from, control: r.control(d), kind: r.msg.Type, id: r.msg.ID}
	e.size = uint8(copy(e.token[:], r.msg.Token))
	_, e.stamp = r.msg.Option(message.ServerTime)
	return e
}

// control is the control message that makes an answer leave from the address
// the datagram came to: on Linux the one that was received says it.
func (r *reader) control(d *datagram) []byte {
	if !r.s.socket.anycast || d.NN == 0 {
		return nil
	}
	return append([]byte(nil), d.OOB[:d.NN]...)
}

// request serves one request; posts are gathered for submit.
func (r *reader) request(ctx context.Context, whole []byte, who *peer, over bool, to envelope) {
	r.s.stats.requests[r.msg.Code].Add(1)
	err := r.serve(ctx, whole, who, over, &to)
	if err != nil {
		r.refuse(&to, refusalOf(err))
	}
}

func (r *reader) serve(ctx context.Context, whole []byte, who *peer, over bool, to *envelope) error {
	if _, ok := r.msg.Option(message.ProxyURI); ok {
		return refuse(message.ProxyingNotSupported, "this is no proxy: leave Proxy-Uri out")
	}
	if _, ok := r.msg.Option(message.ProxyScheme); ok {
		return refuse(message.ProxyingNotSupported, "this is no proxy: leave Proxy-Scheme out")
	}
	at, err := r.route()
	if err != nil {
		return err
	}
	if !at.place.takes(r.msg.Code) {
		return refuse(message.MethodNotAllowed, "%s is not taken here: %s", r.msg.Code.Method(), at.place.methods())
	}
	if r.msg.Code == message.GET {
		if over {
			return refusedRate
		}
		return r.read(ctx, at, to)
	}
	p, err := r.post(at, whole, to.from)
	if err != nil {
		return err
	}
	p.from, p.over, p.to = who, over, *to
	r.posts = append(r.posts, p)
	return nil
}

// read answers a GET, at once or from a goroutine of its own.
func (r *reader) read(ctx context.Context, at target, to *envelope) error {
	g, err := r.get(at)
	if err != nil {
		return err
	}
	if g.slow() {
		return r.s.readBeside(ctx, g, *to)
	}
	answer, err := r.s.answer(ctx, &g)
	if err != nil {
		return err
	}
	r.out.add(to, &answer)
	return nil
}

func (r *reader) refuse(to *envelope, refused *refusal) {
	r.s.stats.refused[refused.reason].Add(1)
	answer := refused.reply()
	r.out.add(to, &answer)
}
