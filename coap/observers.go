package coap

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"skerry/coap/exchange"
	"skerry/coap/message"
	"skerry/coap/observe"
)

// observers is who observes what at this node (RFC 7641), and the messages that
// are sent to peers unasked-for: notifications and separate responses. Observers
// are not replicated: the client of a node that dies registers again, at the
// latest when the last notification's Max-Age is over.
//
// The goroutines that read add and end observations; Run's own goroutine (run)
// sends.
type observers struct {
	s     *Server
	wake  chan struct{} // gets one when run has something to look at
	fresh atomic.Bool   // an observation was added since the versions were compared

	mu       sync.Mutex
	registry *observe.Registry[endpoint, *watch]
	table    *exchange.Table[endpoint]
}

func newObservers(s *Server) *observers {
	return &observers{
		s: s, wake: make(chan struct{}, 1),
		registry: observe.New[endpoint, *watch](observe.DefaultLimits()),
		table:    exchange.New[endpoint](exchange.DefaultLimits(), rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))),
	}
}

// Names of messages in the table: a prefix before the token.
const (
	notification = "n"
	separate     = "s"
)

// poke makes run look again.
func (o *observers) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// begin registers the observation that an answer to a request begins. Where
// there is no room for it the answer is one to a plain GET.
func (o *observers) begin(w *watch, r *reply) {
	to := &w.to
	if r.typed && to.ask != nil { // notifications keep the format (RFC 7641 section 4.2)
		as := *to.ask
		as.accept, as.choosy = uint32(r.format), true
		to.ask, w.read.ask = &as, &as
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if to.session != nil && to.session.gone {
		return
	}
	sequence, err := o.registry.Add(now, int64(w.logTime), w.version, observe.Observation[endpoint, *watch]{
		Peer: to.endpoint(), Token: string(to.tokenBytes()), Target: w.target,
		Form: to.form(), Pace: w.read.pace, Request: w,
	})
	if err != nil {
		return
	}
	o.table.Cancel(now, to.endpoint(), notification+string(to.tokenBytes()))
	o.count()
	w.noted, w.notice = true, sequence
	o.fresh.Store(true)
	o.poke()
}

// form is how the notifications of a request's observation are sent: as the
// request was.
func (e *envelope) form() observe.Form {
	switch {
	case e.session != nil && e.session.stream:
		return observe.Stream
	case e.kind == message.NON:
		return observe.NonConfirmable
	}
	return observe.Confirmable
}

// end ends an observation, if there is one.
func (o *observers) end(peer endpoint, token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.registry.Remove(peer, token) {
		o.table.Cancel(time.Now(), peer, notification+token)
		o.count()
	}
}

// leave ends all observations of a session, and what is on its way to it.
func (o *observers) leave(x *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x.gone = true
	o.registry.RemovePeer(endpoint{session: x})
	o.table.Forget(endpoint{session: x})
	o.count()
}

// answered takes an ACK or RST; false when it is of none of our messages.
func (o *observers) answered(peer endpoint, id uint16, reset bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	e, ok := o.table.Receive(time.Now(), peer, id, reset)
	if !ok {
		return false
	}
	if token, is := notified(e.Name); is && e.Outcome == exchange.Rejected {
		o.registry.Remove(peer, token)
		o.count()
	} else if is {
		o.registry.Landed(peer, token)
	}
	o.poke()
	return true
}

// notified is the token of a notification's name.
func notified(name string) (token string, is bool) {
	return name[len(notification):], name[:len(notification)] == notification
}

// count updates the gauge; mu is held.
func (o *observers) count() { o.s.stats.observers.Store(int64(o.registry.Len())) }
