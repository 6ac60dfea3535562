package exchange

import (
	"container/heap"
	"container/list"
	"errors"
	"math/rand/v2"
	"time"

	"skerry/coap/message"
)

// Transmission parameters of RFC 7252 section 4.8.
const (
	ackTimeout      = 2 * time.Second
	ackRandomFactor = 1.5
	maxRetransmit   = 4
	// exchangeLifetime is how long a peer may take a message id for a copy of
	// the message that had it before.
	exchangeLifetime = 247 * time.Second
	// defaultGap is between non-confirmable messages to a peer whose
	// round-trip time is not known (RFC 7641 section 4.5.1).
	defaultGap = 3 * time.Second
)

// headerSize is that of a CoAP datagram, in bytes; the id is its second half.
const headerSize = 4

// ErrFull is returned by Send at one of the Limits.
var ErrFull = errors.New("too many messages wait to be sent")

// Limits bound a Table.
type Limits struct {
	Peers    int // remembered; the longest idle are forgotten for new ones
	Waiting  int // messages that wait for their turn, of one peer
	Messages int // waiting or on their way, of all peers
}

// DefaultLimits suit a registry of 4,096 observations: about 10 MB of messages.
func DefaultLimits() Limits { return Limits{Peers: 8_192, Waiting: 80, Messages: 8_192} }

// Transmission is a datagram that is to be sent now. Its bytes are good until
// the next call of Due.
type Transmission[P comparable] struct {
	Peer     P
	Name     string
	Type     message.Type
	Datagram []byte
}

// Outcome is how a message ended.
type Outcome uint8

const (
	Acknowledged Outcome = iota
	Rejected             // by RST: the peer does not know what it is about
	Unanswered           // all copies were sent and none was answered
)

// Ending says of a message that nothing of it will be sent any more.
type Ending[P comparable] struct {
	Peer    P
	Name    string
	Outcome Outcome
}

// Table holds the messages that are waiting or on their way, by peer.
//
// Invariant: a peer is in due if and only if something is to be done for it at
// a known time; idle peers are only in byUse.
type Table[P comparable] struct {
	limits   Limits
	random   *rand.Rand
	peers    map[P]*peer[P]
	byUse    *list.List // of *peer[P], the longest unused first
	due      byTime[P]
	messages int
}

// New makes an empty table. The random source gives first message ids and the
// spread of time-outs.
func New[P comparable](limits Limits, random *rand.Rand) *Table[P] {
	return &Table[P]{limits: limits, random: random, peers: map[P]*peer[P]{}, byUse: list.New()}
}

// Send takes an encoded CON or NON message, whose id it sets, and whose bytes
// are the table's from now on. Due says when it goes out, which may be at once.
// A message of the same name that waits is replaced; one that is on its way is
// replaced when it would have to be sent again. Errors: ErrFull.
func (t *Table[P]) Send(now time.Time, to P, name string, datagram []byte) error {
	if len(datagram) < headerSize || typeOf(datagram) > message.NON {
		panic("exchange: neither a CON nor a NON message")
	}
	p, err := t.meet(now, to)
	if err != nil {
		return err
	}
	if w := p.waiting(name); w != nil {
		w.datagram = datagram
		t.plan(p, now)
		return nil
	}
	if len(p.queue) >= t.limits.Waiting || t.messages >= t.limits.Messages {
		return ErrFull
	}
	p.queue = append(p.queue, outgoing{name, datagram})
	t.messages++
	t.plan(p, now)
	return nil
}

// Cancel forgets the messages of a name: what waits is not sent, what is on its
// way not sent again.
func (t *Table[P]) Cancel(now time.Time, to P, name string) {
	p := t.peers[to]
	if p == nil {
		return
	}
	if _, ok := p.take(name); ok {
		t.messages--
	}
	if p.flying != nil && p.flying.name == name {
		t.land(p)
	}
	t.plan(p, now)
}

// Forget drops all that waits for a peer or is on its way to it. Its message
// ids stay known.
func (t *Table[P]) Forget(to P) {
	p := t.peers[to]
	if p == nil {
		return
	}
	t.messages -= len(p.queue)
	p.queue = nil
	if p.flying != nil {
		t.land(p)
	}
	t.unplan(p)
}

// RoundTrip is the smoothed time between a message to a peer and its
// acknowledgement; ok is false while none was measured.
func (t *Table[P]) RoundTrip(to P) (d time.Duration, ok bool) {
	p := t.peers[to]
	if p == nil || p.roundTrip == 0 {
		return 0, false
	}
	return p.roundTrip, true
}

// Messages is how many wait or are on their way.
func (t *Table[P]) Messages() int { return t.messages }

// Peers is how many peers are remembered.
func (t *Table[P]) Peers() int { return len(t.peers) }

// meet finds or makes a peer, in the place of an idle one if need be.
func (t *Table[P]) meet(now time.Time, key P) (*peer[P], error) {
	if p := t.peers[key]; p != nil {
		t.touch(p, now)
		return p, nil
	}
	if len(t.peers) >= t.limits.Peers && !t.forgetIdle() {
		return nil, ErrFull
	}
	p := &peer[P]{key: key, used: now, index: notPlanned, ids: newIDs(t.random)}
	p.place = t.byUse.PushBack(p)
	t.peers[key] = p
	return p, nil
}

func (t *Table[P]) touch(p *peer[P], now time.Time) {
	p.used = now
	t.byUse.MoveToBack(p.place)
}

// maxSearch bounds how many peers are looked at to find an idle one.
const maxSearch = 64

// forgetIdle forgets one of the longest unused peers that have nothing waiting.
func (t *Table[P]) forgetIdle() bool {
	e := t.byUse.Front()
	for range maxSearch {
		if e == nil {
			return false
		}
		if p := e.Value.(*peer[P]); p.idle() {
			t.forget(p)
			return true
		}
		e = e.Next()
	}
	return false
}

func (t *Table[P]) forget(p *peer[P]) {
	t.unplan(p)
	t.byUse.Remove(p.place)
	delete(t.peers, p.key)
}

// plan puts a peer where its next deed is in time.
func (t *Table[P]) plan(p *peer[P], now time.Time) {
	at, ok := p.next(now)
	switch {
	case !ok:
		t.unplan(p)
	case p.index == notPlanned:
		p.due = at
		heap.Push(&t.due, p)
	default:
		p.due = at
		heap.Fix(&t.due, p.index)
	}
}

func (t *Table[P]) unplan(p *peer[P]) {
	if p.index != notPlanned {
		heap.Remove(&t.due, p.index)
	}
}

// land ends the message that is on its way to a peer.
func (t *Table[P]) land(p *peer[P]) {
	p.recall(p.flying.id, p.flying.name)
	p.flying = nil
	t.messages--
}
