package coap

import (
	"net/netip"
	"time"
)

const (
	// bytesPerToken is the size for which a datagram counts as one message more.
	bytesPerToken = 1 << 10
	// blockCost is what a block counts, in messages: it is copied and answered,
	// and the site is asked once for all of them.
	blockCost = 0.1
)

// standing is what a peer may do with the datagram in hand.
type standing uint8

const (
	welcome  standing = iota
	over              // beyond its rate: answered with 4.29
	flooding          // beyond its rate by another burst: not answered
)

// peer is an endpoint that sent something. Who reads its messages owns it, but
// for flights.
type peer struct {
	tokens  float64 // -burst <= tokens <= burst
	at      time.Time
	proven  time.Time // until then it is known to receive what is sent to it
	flights int       // messages on their way; guarded by intake.mu
	ids     run       // of its messages
}

// peers remembers endpoints in two generations: when the younger is full, the
// older is forgotten. A forgotten endpoint starts anew with a full bucket.
type peers struct {
	limits     Limits
	young, old map[netip.AddrPort]*peer // no endpoint is in both
}

func newPeers(l Limits) *peers {
	return &peers{limits: l, young: map[netip.AddrPort]*peer{}}
}

// meet finds an endpoint and charges it for a datagram of size bytes.
func (p *peers) meet(from netip.AddrPort, size int, now time.Time) (*peer, standing) {
	who := p.find(from, now)
	return who, who.charge(&p.limits, size, now)
}

// charge takes a datagram of size bytes off a peer's bucket.
func (p *peer) charge(l *Limits, size int, now time.Time) standing {
	elapsed := now.Sub(p.at)
	p.at = now
	p.tokens = min(l.PeerBurst, p.tokens+elapsed.Seconds()*l.PeerRate)
	p.tokens = max(-l.PeerBurst, p.tokens-1-float64(size/bytesPerToken))
	switch {
	case p.tokens >= 0:
		return welcome
	case p.tokens > -l.PeerBurst:
		return over
	}
	return flooding
}

// refund gives back what a block was charged too much.
func (p *peer) refund() { p.tokens += 1 - blockCost }

func (p *peers) find(from netip.AddrPort, now time.Time) *peer {
	if who := p.young[from]; who != nil {
		return who
	}
	who := p.old[from]
	if who == nil {
		who = &peer{tokens: p.limits.PeerBurst, at: now}
	} else {
		delete(p.old, from)
	}
	if len(p.young) >= p.limits.Peers/2 {
		p.old, p.young = p.young, map[netip.AddrPort]*peer{}
	}
	p.young[from] = who
	return who
}

func (p *peers) len() int { return len(p.young) + len(p.old) }
