package exchange

import (
	"container/list"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"skerry/coap/message"
)

// maxRecalled is how many of the last messages to a peer are known by their
// ids, so that an RST that comes late still finds what it rejects.
const maxRecalled = 16

// outgoing is a message that waits for its turn.
type outgoing struct {
	name     string
	datagram []byte
}

// flight is a confirmable message on its way.
type flight struct {
	outgoing
	id     uint16
	copies int       // sent
	sent   time.Time // the last copy
	wait   time.Duration
}

func (f *flight) deadline() time.Time { return f.sent.Add(f.wait) }

// recalled is a message of which nothing is kept but its id.
type recalled struct {
	id   uint16
	name string
}

// peer is what is known of one endpoint.
type peer[P comparable] struct {
	key    P
	ids    ids
	flying *flight    // at most one (NSTART)
	queue  []outgoing // oldest first, at most one of a name
	past   []recalled // the last ones, oldest first

	roundTrip time.Duration // smoothed; 0 is unknown
	quietTill time.Time     // no non-confirmable message is sent before

	used  time.Time
	place *list.Element // in Table.byUse
	due   time.Time     // meant while index is not notPlanned
	index int           // in Table.due
}

func typeOf(datagram []byte) message.Type { return message.Type(datagram[0] >> 4 & 3) }

func (p *peer[P]) idle() bool { return p.flying == nil && len(p.queue) == 0 }

// waiting is the message of a name in the queue, nil when there is none.
func (p *peer[P]) waiting(name string) *outgoing {
	for i := range p.queue {
		if p.queue[i].name == name {
			return &p.queue[i]
		}
	}
	return nil
}

// take takes the message of a name out of the queue.
func (p *peer[P]) take(name string) (o outgoing, ok bool) {
	for i := range p.queue {
		if p.queue[i].name == name {
			return p.takeAt(i), true
		}
	}
	return outgoing{}, false
}

func (p *peer[P]) takeAt(i int) outgoing {
	o := p.queue[i]
	copy(p.queue[i:], p.queue[i+1:])
	last := len(p.queue) - 1
	p.queue[last] = outgoing{}
	p.queue = p.queue[:last]
	return o
}

// next is when something is to be done for the peer; ok is false for never.
func (p *peer[P]) next(now time.Time) (at time.Time, ok bool) {
	if p.flying != nil {
		at, ok = p.flying.deadline(), true
	}
	for i := range p.queue {
		from, may := p.mayGo(&p.queue[i], now)
		if may && (!ok || from.Before(at)) {
			at, ok = from, true
		}
	}
	return at, ok
}

// mayGo tells from when on a message may go out; may is false while it has to
// wait for another one to end.
func (p *peer[P]) mayGo(o *outgoing, now time.Time) (from time.Time, may bool) {
	from = p.ids.free(now)
	if typeOf(o.datagram) == message.CON {
		return from, p.flying == nil
	}
	if p.quietTill.After(from) {
		from = p.quietTill
	}
	return from, true
}

// stamp gives a datagram the peer's next message id.
func (p *peer[P]) stamp(datagram []byte, now time.Time) uint16 {
	id := p.ids.next(now)
	binary.BigEndian.PutUint16(datagram[2:], id)
	return id
}

func (p *peer[P]) recall(id uint16, name string) {
	if len(p.past) == maxRecalled {
		copy(p.past, p.past[1:])
		p.past = p.past[:maxRecalled-1]
	}
	p.past = append(p.past, recalled{id, name})
}

// measured takes one round-trip time into account, as RFC 6298 section 2 does.
func (p *peer[P]) measured(d time.Duration) {
	d = max(d, time.Microsecond)
	if p.roundTrip == 0 {
		p.roundTrip = d
		p.quietTill = time.Time{} // the wait for the unknown is over
		return
	}
	p.roundTrip += (d - p.roundTrip) / 8
}

// gap is kept between non-confirmable messages.
func (p *peer[P]) gap() time.Duration {
	if p.roundTrip == 0 {
		return defaultGap
	}
	return min(p.roundTrip, defaultGap)
}

// FirstID is the first of the message ids that a Table gives; it gives all
// from there on.
const FirstID = 1 << 15

const (
	idGroups  = 8
	groupSize = (1<<16 - FirstID) / idGroups
)

// ids counts message ids from a random start. To know when an id was last used
// it is enough to know that of its group.
type ids struct {
	at   uint16 // next one, counted from FirstID; 0 <= at < idGroups*groupSize
	last [idGroups]time.Time
}

func newIDs(random *rand.Rand) ids { return ids{at: uint16(random.IntN(idGroups * groupSize))} }

// free is when the next id may be used: at once, but for the first of a group
// whose ids were used less than an exchange's lifetime ago.
func (c *ids) free(now time.Time) time.Time {
	last := c.last[c.at/groupSize]
	if c.at%groupSize != 0 || last.IsZero() {
		return now
	}
	if from := last.Add(exchangeLifetime); from.After(now) {
		return from
	}
	return now
}

func (c *ids) next(now time.Time) uint16 {
	c.last[c.at/groupSize] = now
	id := FirstID + c.at
	c.at = (c.at + 1) % (idGroups * groupSize)
	return id
}
