package coap

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"skerry/coap/datagram"
	"skerry/coap/exchange"
	"skerry/coap/message"
)

// maxDiagnostic is the bound of a text that says what is wrong, in bytes.
const maxDiagnostic = 256

// envelope is what is kept of a request to answer it.
type envelope struct {
	from      netip.AddrPort
	local     datagram.Local // the address it came to, where there are several
	session   *session       // nil for plain UDP
	token     [message.MaxToken]byte
	long      []byte // a token that does not fit there (RFC 8974)
	size      uint8  // of the token
	kind      message.Type
	mute      uint8 // classes of answers that are not wanted, as No-Response has them
	stamp     bool  // it asked for the server's time
	id        uint16
	blockwise bool // it had a Block1 option, which comes back as block1
	block1    uint32
	room      int    // bytes that the answer may have, 0 for any
	ask       *ask   // how a representation is wanted; nil for none
	watch     *watch // what is observed; nil for nothing
}

// envelope is made of the request in d.msg.
func (d *desk) envelope(from *source) envelope {
	e := envelope{
		from: from.from, local: from.local, session: from.session,
		kind: d.msg.Type, id: d.msg.ID,
	}
	if len(d.msg.Token) <= len(e.token) {
		e.size = uint8(copy(e.token[:], d.msg.Token))
	} else {
		e.long = bytes.Clone(d.msg.Token)
	}
	if !d.proven(from) {
		e.room = amplification * len(from.datagram)
	}
	if unwanted, ok := d.msg.Uint(message.NoResponse); ok {
		e.mute = uint8(unwanted)
	}
	_, e.stamp = d.msg.Option(message.ServerTime)
	return e
}

// same tells whether two requests are one datagram sent twice, as far as
// their answers go.
func (e *envelope) same(o *envelope) bool {
	return e.from == o.from && e.id == o.id && e.kind == o.kind && e.session == o.session &&
		e.size == o.size && e.token == o.token && bytes.Equal(e.long, o.long)
}

// muted tells whether an answer of a class is not wanted (RFC 7967 section 2).
func (e *envelope) muted(c message.Code) bool { return e.mute>>(c.Class()-1)&1 == 1 }

// reply is the answer to one request.
type reply struct {
	code    message.Code
	format  uint16 // of the payload; meant when typed
	typed   bool
	maxAge  uint32 // seconds; sent with 4.29 and 5.03, and where it is not 0
	size1   uint32 // bytes that are taken, sent with 4.13
	payload []byte
	etag    []byte
	sliced  bool // the payload is the block of block2
	block2  uint32
	size2   uint32   // bytes of the whole, sent with its first block
	options []option // further ones
}

// option is an option of a reply.
type option struct {
	number message.Number
	value  []byte
}

// outbox gathers replies and sends them together. It belongs to one goroutine
// at a time.
type outbox struct {
	s      *Server
	msg    message.Message
	arena  []byte
	out    []datagram.Message
	sender *datagram.Sender
}

func newOutbox(s *Server) *outbox {
	return &outbox{s: s, sender: datagram.NewSender(s.socket)}
}

// add encodes a reply: an ACK for a CON, a NON for a NON (RFC 7252 section
// 5.2). It returns the reply's size in bytes, 0 when it leaves with a session.
func (o *outbox) add(to *envelope, r *reply) int {
	r = o.shaped(to, r)
	o.s.stats.responses[r.code].Add(1)
	if to.muted(r.code) {
		o.msg.Reset()
		o.msg.Type, o.msg.ID = message.ACK, to.id
		if to.kind == message.NON || to.session != nil && to.session.stream {
			return 0
		}
		return o.post(to) // an empty ACK ends the retransmissions
	}
	o.compose(to, r)
	o.msg.Type, o.msg.ID = message.ACK, to.id
	if to.kind == message.NON {
		o.msg.Type, o.msg.ID = message.NON, o.s.ids.next()
	}
	if to.room > 0 && r.code.Class() != 2 {
		return o.postWithin(to)
	}
	return o.post(to)
}

// shaped gives content the form its client asked for, and begins its
// observation where it asked for that.
func (o *outbox) shaped(to *envelope, r *reply) *reply {
	if r.code != message.Content {
		return r
	}
	if to.watch != nil && !to.watch.noted {
		o.s.observers.begin(to.watch, r)
	}
	if to.ask != nil {
		r = o.s.shape(to.ask, r)
	}
	return r
}

// compose makes o.msg of a reply, but for the type and the id.
func (o *outbox) compose(to *envelope, r *reply) {
	o.msg.Reset()
	o.msg.Code = r.code
	o.msg.Token = to.tokenBytes()
	o.msg.Payload = r.payload
	o.describe(to, r)
}

// describe adds the options.
func (o *outbox) describe(to *envelope, r *reply) {
	age := r.maxAge
	if w := to.watch; w != nil && w.noted && r.code.Class() == 2 {
		o.msg.AddUint(message.Observe, w.notice)
		age = max(age, w.read.pace.MaxAge())
	}
	if r.typed {
		o.msg.AddUint(message.ContentFormat, uint32(r.format))
	}
	if len(r.etag) > 0 {
		o.msg.Add(message.ETag, r.etag)
	}
	if r.code == message.TooManyRequests || r.code == message.ServiceUnavailable {
		o.msg.AddUint(message.MaxAge, max(1, r.maxAge))
	} else if age > 0 {
		o.msg.AddUint(message.MaxAge, age)
	}
	if r.sliced {
		o.msg.AddUint(message.Block2, r.block2)
	}
	if to.blockwise && r.code.Class() == 2 {
		o.msg.AddUint(message.Block1, to.block1)
	}
	if r.size2 > 0 {
		o.msg.AddUint(message.Size2, r.size2)
	}
	if r.size1 > 0 {
		o.msg.AddUint(message.Size1, r.size1)
	}
	for _, more := range r.options {
		o.msg.Add(more.number, more.value)
	}
	if to.stamp {
		millis := uint64(o.s.cfg.Now().UnixMilli())
		o.msg.Add(message.ServerTime, binary.BigEndian.AppendUint64(nil, millis))
	}
}

// postWithin posts o.msg with as much of its text as its peer has room for.
func (o *outbox) postWithin(to *envelope) int {
	size := o.post(to)
	if size <= to.room || len(o.msg.Payload) == 0 {
		return size
	}
	o.takeBack()
	text := o.msg.Payload
	o.msg.Payload = []byte(cut(string(text), max(0, len(text)-(size-to.room))))
	return o.post(to)
}

// reset rejects a message (RFC 7252 section 4.2).
func (o *outbox) reset(id uint16, to *source) {
	o.s.stats.resets.Add(1)
	o.empty(message.RST, id, to)
}

// acknowledge sends the empty ACK of a request.
func (o *outbox) acknowledge(to *envelope) {
	o.msg.Reset()
	o.msg.Type, o.msg.ID = message.ACK, to.id
	o.post(to)
}

// forward adds an encoded message.
func (o *outbox) forward(to endpoint, encoded []byte) {
	if to.session == nil {
		at := len(o.arena)
		o.arena = append(o.arena, encoded...)
		o.out = append(o.out, datagram.Message{Peer: to.from, Local: to.local, Data: o.arena[at:len(o.arena):len(o.arena)]})
		return
	}
	if _, err := message.Parse(encoded, &o.msg); err != nil {
		panic(err) // it is one of ours
	}
	to.session.deliver(&o.msg)
}

// ping sends an empty CON, which its peer rejects (RFC 7252 section 4.3).
func (o *outbox) ping(id uint16, to *source) { o.empty(message.CON, id, to) }

func (o *outbox) empty(kind message.Type, id uint16, to *source) {
	o.msg.Reset()
	o.msg.Type, o.msg.ID = kind, id
	o.post(&envelope{from: to.from, local: to.local, session: to.session})
}

// post encodes o.msg and returns its size in bytes, or lets its session take it
// and returns 0.
func (o *outbox) post(to *envelope) int {
	if to.session != nil {
		to.session.deliver(&o.msg)
		return 0
	}
	at := len(o.arena)
	var err error
	if o.arena, err = o.msg.Append(o.arena); err != nil {
		panic(err) // replies are made here, of bounded parts
	}
	data := o.arena[at:len(o.arena):len(o.arena)]
	o.out = append(o.out, datagram.Message{Peer: to.from, Local: to.local, Data: data})
	return len(data)
}

// takeBack takes the last datagram out again.
func (o *outbox) takeBack() {
	last := len(o.out) - 1
	o.arena = o.arena[:len(o.arena)-len(o.out[last].Data)]
	o.out = o.out[:last]
}

// flush sends what was added.
func (o *outbox) flush() {
	if len(o.out) == 0 {
		return
	}
	o.s.stats.unsent.Add(uint64(o.sender.Send(o.out)))
	o.out, o.arena = o.out[:0], o.arena[:0]
}

// counter gives the message ids of NON replies. Those from exchange.FirstID on
// belong to what is sent unasked-for.
type counter struct{ last atomic.Uint32 }

func (c *counter) next() uint16 { return uint16(c.last.Add(1) % exchange.FirstID) }

// wallSeconds is a time as /time gives it: seconds with milliseconds.
func wallSeconds(t time.Time) []byte {
	ms := t.UnixMilli()
	b := make([]byte, 0, 16)
	b = strconv.AppendInt(b, ms/1000, 10)
	b = append(b, '.')
	frac := ms % 1000
	return append(b, byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
}

// cut shortens a text to at most n bytes of whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
