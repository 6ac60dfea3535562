package coap

import (
	"context"
	"math/rand/v2"
	"time"

	"skerry/coap/message"
)

// maxOverheardWaiting bounds the answers to groups that wait for their time.
const maxOverheardWaiting = 64

// overheard is a request to a group with its answer.
type overheard struct {
	to     envelope
	answer *reply
	at     time.Time // when it is answered
}

// leisure spreads the answers of many gateways to one request over a while (RFC
// 7252 section 8.2).
type leisure struct {
	s    *Server
	come chan overheard
}

func newLeisure(s *Server) *leisure {
	return &leisure{s: s, come: make(chan overheard, maxOverheardWaiting)}
}

// take keeps an answer for its time; one too many is dropped.
func (l *leisure) take(o overheard) {
	select {
	case l.come <- o:
	default:
	}
}

// run sends the answers until ctx is done, and joins groups on interfaces that
// came since.
func (l *leisure) run(ctx context.Context) {
	rejoin := time.NewTicker(rejoinEvery)
	defer rejoin.Stop()
	box := newOutbox(l.s)
	next := time.NewTimer(0)
	defer next.Stop()
	var waiting []overheard
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-l.come:
			waiting = l.keep(waiting, o)
		case <-rejoin.C:
			l.s.groups.rejoin()
		case <-next.C:
			waiting = l.send(box, waiting, time.Now())
		}
		if len(waiting) > 0 {
			next.Reset(time.Until(earliest(waiting)))
		}
	}
}

// keep gives an answer its time. The same message once more is answered once.
func (l *leisure) keep(waiting []overheard, o overheard) []overheard {
	if len(waiting) == maxOverheardWaiting {
		return waiting
	}
	for i := range waiting {
		if waiting[i].to.same(&o.to) {
			return waiting
		}
	}
	o.at = time.Now()
	if most := l.s.cfg.Limits.Leisure; most > 0 {
		o.at = o.at.Add(rand.N(most))
	}
	return append(waiting, o)
}

func earliest(waiting []overheard) time.Time {
	first := waiting[0].at
	for i := range waiting {
		if waiting[i].at.Before(first) {
			first = waiting[i].at
		}
	}
	return first
}

// send sends what is due and returns what is not.
func (l *leisure) send(box *outbox, waiting []overheard, now time.Time) []overheard {
	later := waiting[:0]
	for i := range waiting {
		if waiting[i].at.After(now) {
			later = append(later, waiting[i])
			continue
		}
		box.addWithin(&waiting[i].to, waiting[i].answer)
	}
	box.flush()
	clear(waiting[len(later):])
	return later
}

// addWithin adds an answer as a first block small enough for its peer's room:
// the rest is asked for by unicast (RFC 7959 section 2.8). Where not even the
// smallest fits nothing is said.
func (o *outbox) addWithin(to *envelope, r *reply) {
	for {
		shaped := o.s.shape(to.ask, r)
		if to.muted(shaped.code) {
			return
		}
		o.compose(to, shaped)
		o.msg.Type, o.msg.ID = message.NON, o.s.ids.next()
		if o.post(to) <= to.room {
			o.s.stats.responses[shaped.code].Add(1)
			return
		}
		o.takeBack()
		if to.ask.part.SZX == 0 {
			return
		}
		to.ask.part.SZX--
	}
}
