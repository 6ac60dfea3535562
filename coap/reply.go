package coap

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"skerry/coap/message"
)

// maxDiagnostic is the bound of a text that says what is wrong, in bytes.
const maxDiagnostic = 256

// envelope is what is kept of a request to answer it.
type envelope struct {
	addr    net.Addr
	from    netip.AddrPort
	control []byte // names the address it came to; nil when there is only one
	token   [message.MaxToken]byte
	size    uint8 // of the token
	kind    message.Type
	id      uint16
	stamp   bool // it asked for the server's time
}

// same tells whether two requests are one datagram sent twice, as far as
// their answers go.
func (e *envelope) same(o *envelope) bool {
	return e.from == o.from && e.id == o.id && e.kind == o.kind && e.size == o.size && e.token == o.token
}

// reply is the answer to one request.
type reply struct {
	code    message.Code
	format  uint16 // of the payload; meant when typed
	typed   bool
	maxAge  uint32 // seconds, sent with 4.29 and 5.03
	size1   uint32 // bytes that are taken, sent with 4.13
	payload []byte
}

// outbox gathers replies and sends them together. It belongs to one goroutine
// at a time.
type outbox struct {
	s     *Server
	msg   message.Message
	arena []byte
	out   []datagram
}

// add encodes a reply: an ACK for a CON, a NON for a NON (RFC 7252 section 5.2).
func (o *outbox) add(to *envelope, r *reply) {
	o.msg.Reset()
	o.msg.Type, o.msg.ID = message.ACK, to.id
	if to.kind == message.NON {
		o.msg.Type, o.msg.ID = message.NON, o.s.ids.next()
	}
	o.msg.Code = r.code
	o.msg.Token = to.token[:to.size]
	o.msg.Payload = r.payload
	if r.typed {
		o.msg.AddUint(message.ContentFormat, uint32(r.format))
	}
	if r.code == message.TooManyRequests || r.code == message.ServiceUnavailable {
		o.msg.AddUint(message.MaxAge, max(1, r.maxAge))
	}
	if r.size1 > 0 {
		o.msg.AddUint(message.Size1, r.size1)
	}
	if to.stamp {
		millis := uint64(o.s.cfg.Now().UnixMilli())
		o.msg.Add(message.ServerTime, binary.BigEndian.AppendUint64(nil, millis))
	}
	o.s.stats.responses[r.code].Add(1)
	o.post(to.addr, to.control)
}

// reset rejects a message (RFC 7252 section 4.2).
func (o *outbox) reset(id uint16, addr net.Addr, control []byte) {
	o.msg.Reset()
	o.msg.Type, o.msg.ID = message.RST, id
	o.s.stats.resets.Add(1)
	o.post(addr, control)
}

// post encodes o.msg for addr.
func (o *outbox) post(addr net.Addr, control []byte) {
	at := len(o.arena)
	var err error
	if o.arena, err = o.msg.Append(o.arena); err != nil {
		panic(err) // replies are made here, of bounded parts
	}
	n := len(o.out)
	if n < cap(o.out) {
		o.out = o.out[:n+1]
	} else {
		o.out = append(o.out, datagram{})
	}
	d := &o.out[n]
	if d.Buffers == nil {
		d.Buffers = make([][]byte, 1)
	}
	d.Buffers[0] = o.arena[at:len(o.arena):len(o.arena)]
	d.Addr, d.OOB = addr, control
}

// flush sends what was added.
func (o *outbox) flush() {
	if len(o.out) == 0 {
		return
	}
	o.s.stats.unsent.Add(uint64(o.s.socket.send(o.out)))
	for i := range o.out {
		o.out[i].Addr, o.out[i].OOB = nil, nil
	}
	o.out, o.arena = o.out[:0], o.arena[:0]
}

// counter gives the message ids of what we send unasked-for: NON replies.
type counter struct{ last atomic.Uint32 }

func (c *counter) next() uint16 { return uint16(c.last.Add(1)) }

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
