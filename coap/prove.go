package coap

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"skerry/coap/exchange"
	"skerry/coap/key"
	"skerry/coap/message"
)

// A plain datagram's source address may be anybody's. What is sent to an
// address that has proved nothing is therefore at most amplification times what
// came from it (RFC 9175 section 2.4): a longer diagnostic text is cut, and a
// longer answer is held back until the peer has shown that it receives what is
// sent there. It shows that by rejecting a ping of four bytes, which every CoAP
// stack does, or with an Echo option.
const (
	amplification = 3
	// provenFor is how long an endpoint stays proven.
	provenFor = 10 * time.Minute
	// heldFor is how long a request is held for its peer's proof.
	heldFor = 5 * time.Second
	// pingAgain is when a ping is sent once more: libcoap sends at most one RST in
	// 250 ms, and none in the first 250 ms of a second in which it was started.
	pingAgain = 300 * time.Millisecond
	// maxHeld bounds the endpoints whose requests are held, maxHeldOfPeer the
	// requests of one and maxHeldBytes the size of one.
	maxHeld       = 256
	maxHeldOfPeer = 4
	maxHeldBytes  = 2 << 10
	// echoFresh is how long an Echo value is taken, at least; at most twice that.
	echoFresh = time.Minute
	echoSize  = 8 // bytes
	// maxWrong is how many wrong answers to a ping are taken for accidents. After
	// them only an Echo option proves anything until heldFor is over, so that
	// guessing the ping's 16 bits takes hours.
	maxWrong = 8
)

// challenges are the peers that were asked for a proof. The zero value is ready.
type challenges struct {
	secret  [16]byte // of Echo values
	ready   bool
	waiting map[netip.AddrPort]*challenge
}

// challenge is a ping on its way, and what is served when it is answered.
type challenge struct {
	id       uint16
	at       time.Time
	requests [][]byte
	again    *time.Timer // sends it once more
	wrong    int         // answers to another ping
}

// proven tells whether a request's peer receives what is sent to its address.
func (d *desk) proven(from *source) bool {
	return from.session != nil || d.now.Before(from.peer.proven)
}

// challenge asks the peer of a request for a proof, by a ping first; when that
// is not answered and the request comes again, with an Echo option.
func (d *desk) challenge(q *call) {
	from := q.from
	c := d.challenged.waiting[from.from]
	if c != nil && d.now.Sub(c.at) > heldFor {
		c = nil
	}
	switch {
	case len(from.datagram) > maxHeldBytes, c != nil && !c.hold(from.datagram), c == nil && !d.challenged.room(d.now):
		d.s.stats.challenged.Add(1)
		d.out.add(&q.to, &reply{code: message.Unauthorized, options: []option{{message.Echo, d.challenged.echo(from.from, d.now)}}})
	case c == nil:
		d.s.stats.challenged.Add(1)
		c = &challenge{id: randomID(), at: d.now}
		c.hold(from.datagram)
		if d.challenged.waiting == nil {
			d.challenged.waiting = map[netip.AddrPort]*challenge{}
		}
		d.challenged.waiting[from.from] = c
		d.out.ping(c.id, from)
		d.s.pingLater(c, from)
	}
}

// pingLater sends the ping of a challenge once more, unless it is met before.
func (s *Server) pingLater(c *challenge, from *source) {
	to, id := &source{from: from.from, local: from.local}, c.id
	s.work.Add(1)
	c.again = time.AfterFunc(pingAgain, func() {
		defer s.work.Done()
		box := s.boxes.Get().(*outbox)
		defer s.boxes.Put(box)
		box.ping(id, to)
		box.flush()
	})
}

// hold keeps a request; false when it is held already, too many are, or the
// peer has guessed.
func (c *challenge) hold(datagram []byte) bool {
	if c.wrong > maxWrong {
		return false
	}
	for _, held := range c.requests {
		if bytes.Equal(held, datagram) {
			return false
		}
	}
	if len(c.requests) == maxHeldOfPeer {
		return false
	}
	c.requests = append(c.requests, bytes.Clone(datagram))
	return true
}

// room makes room for one more challenge; false when there is none.
func (c *challenges) room(now time.Time) bool {
	if len(c.waiting) < maxHeld {
		return true
	}
	for from, asked := range c.waiting {
		if now.Sub(asked.at) > heldFor {
			delete(c.waiting, from)
		}
	}
	return len(c.waiting) < maxHeld
}

// prove takes an RST: when it answers our ping the peer has proved its address,
// and its requests are served.
func (d *desk) prove(ctx context.Context, from *source) bool {
	c := d.challenged.waiting[from.from]
	if c == nil || c.wrong > maxWrong {
		return false
	}
	if c.id != d.msg.ID {
		c.wrong++
		return false
	}
	delete(d.challenged.waiting, from.from)
	if c.again.Stop() {
		d.s.work.Done()
	}
	from.peer.proven = d.now.Add(provenFor)
	for _, request := range c.requests {
		again := *from
		again.datagram, again.replayed = request, true
		d.datagram(ctx, &again)
	}
	return true
}

// checkEcho takes an Echo option of ours as a proof.
func (d *desk) checkEcho(q *call) {
	value, ok := d.msg.Option(message.Echo)
	if !ok || q.from.session != nil {
		return
	}
	if d.challenged.takes(value, q.from.from, d.now) {
		q.from.peer.proven = d.now.Add(provenFor)
		q.to.room = 0
	}
}

// takes tells whether an Echo value was given to an endpoint a short while ago.
func (c *challenges) takes(value []byte, from netip.AddrPort, now time.Time) bool {
	return bytes.Equal(value, c.echo(from, now)) || bytes.Equal(value, c.echo(from, now.Add(-echoFresh)))
}

// echo is the Echo value of an endpoint at a time.
func (c *challenges) echo(from netip.AddrPort, at time.Time) []byte {
	if !c.ready {
		fillRandom(c.secret[:])
		c.ready = true
	}
	ip := from.Addr().As16()
	said := binary.LittleEndian.AppendUint16(ip[:], from.Port())
	said = binary.LittleEndian.AppendUint64(said, uint64(at.Unix()/int64(echoFresh/time.Second)))
	sum := key.Sum128(&c.secret, said)
	return sum[:echoSize]
}

// randomID is a message id that nobody foresees.
func randomID() uint16 {
	var b [2]byte
	fillRandom(b[:])
	return binary.LittleEndian.Uint16(b[:]) % exchange.FirstID // the others are for notifications
}

func fillRandom(b []byte) {
	if _, err := rand.Read(b); err != nil {
		panic(err) // the kernel's random numbers never fail
	}
}
