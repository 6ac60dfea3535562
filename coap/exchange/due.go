package exchange

import (
	"container/heap"
	"time"

	"skerry/coap/message"
)

// Next is when Due has something to do; ok is false while nothing is waiting.
func (t *Table[P]) Next() (at time.Time, ok bool) {
	if len(t.due) == 0 {
		return time.Time{}, false
	}
	return t.due[0].due, true
}

// Due hands out what is to be sent at now, and the messages that got no answer.
// The slices are the caller's, the datagrams in them are not. What else waits for
// a peer that did not answer is due at the next call, if it is still wanted then:
// see Forget.
func (t *Table[P]) Due(now time.Time) (send []Transmission[P], unanswered []Ending[P]) {
	var silent []*peer[P]
	for len(t.due) > 0 && !t.due[0].due.After(now) {
		p := t.due[0]
		t.touch(p, now)
		if f := p.flying; f != nil && !f.deadline().After(now) {
			if f.copies > maxRetransmit {
				unanswered = append(unanswered, Ending[P]{p.key, f.name, Unanswered})
				t.land(p)
				t.unplan(p)
				silent = append(silent, p)
				continue
			}
			send = append(send, t.again(p, now))
		}
		send = t.begin(p, now, send)
		t.plan(p, now)
	}
	for _, p := range silent {
		t.plan(p, now)
	}
	t.expire(now)
	return send, unanswered
}

// again sends one more copy, or what has taken its place meanwhile.
func (t *Table[P]) again(p *peer[P], now time.Time) Transmission[P] {
	f := p.flying
	if w := p.waiting(f.name); w != nil && typeOf(w.datagram) == message.CON && !p.ids.free(now).After(now) {
		newer, _ := p.take(f.name)
		t.messages--
		p.recall(f.id, f.name)
		f.datagram = newer.datagram
		f.id = p.stamp(f.datagram, now)
	}
	f.copies++
	f.sent = now
	f.wait *= 2
	return Transmission[P]{p.key, f.name, message.CON, f.datagram}
}

// begin sends the messages whose turn it is.
func (t *Table[P]) begin(p *peer[P], now time.Time, send []Transmission[P]) []Transmission[P] {
	for i := 0; i < len(p.queue); {
		from, may := p.mayGo(&p.queue[i], now)
		if !may || from.After(now) {
			i++
			continue
		}
		o := p.takeAt(i)
		id := p.stamp(o.datagram, now)
		kind := typeOf(o.datagram)
		if kind == message.CON {
			p.flying = &flight{outgoing: o, id: id, copies: 1, sent: now, wait: t.firstWait()}
		} else {
			p.recall(id, o.name)
			p.quietTill = now.Add(p.gap())
			t.messages--
		}
		send = append(send, Transmission[P]{p.key, o.name, kind, o.datagram})
	}
	return send
}

func (t *Table[P]) firstWait() time.Duration {
	return time.Duration(float64(ackTimeout) * (1 + t.random.Float64()*(ackRandomFactor-1)))
}

// expire forgets the peers whose message ids need not be remembered any more.
func (t *Table[P]) expire(now time.Time) {
	for e := t.byUse.Front(); e != nil; e = t.byUse.Front() {
		p := e.Value.(*peer[P])
		if now.Sub(p.used) < exchangeLifetime || !p.idle() {
			return
		}
		t.forget(p)
	}
}

// Receive takes an ACK or RST and says which message it ends. ok is false for
// one that belongs to nothing: a late copy, or a stranger's. What waited for
// the message to end is due at once.
func (t *Table[P]) Receive(now time.Time, from P, id uint16, reset bool) (e Ending[P], ok bool) {
	p := t.peers[from]
	if p == nil {
		return e, false
	}
	t.touch(p, now)
	if f := p.flying; f != nil && f.id == id {
		if f.copies == 1 {
			p.measured(now.Sub(f.sent))
		}
		t.land(p)
		e, ok = Ending[P]{p.key, f.name, Acknowledged}, true
	} else if reset {
		e, ok = p.recalls(id)
	}
	if ok && reset {
		e.Outcome = Rejected
		t.Cancel(now, from, e.Name)
	}
	t.plan(p, now)
	return e, ok
}

// recalls finds a message that was sent a while ago.
func (p *peer[P]) recalls(id uint16) (Ending[P], bool) {
	for _, r := range p.past {
		if r.id == id {
			return Ending[P]{Peer: p.key, Name: r.name}, true
		}
	}
	return Ending[P]{}, false
}

// notPlanned is the index of a peer that is not in the heap.
const notPlanned = -1

// byTime is a heap of peers, the one with the next deed on top.
type byTime[P comparable] []*peer[P]

var _ heap.Interface = (*byTime[int])(nil)

func (h byTime[P]) Len() int           { return len(h) }
func (h byTime[P]) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h byTime[P]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is heap's; use heap.Push.
func (h *byTime[P]) Push(x any) {
	p := x.(*peer[P])
	p.index = len(*h)
	*h = append(*h, p)
}

// Pop is heap's; use heap.Pop.
func (h *byTime[P]) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	p.index = notPlanned
	return p
}
