package coap

import (
	"context"
	"errors"
	"sync"
	"time"

	"skerry/coap/message"
	"skerry/coap/observe"
)

const (
	// compareEvery is how often versions are compared at most. A comparison
	// that took long is followed by a rest of restFactor times that, so that
	// many observers of a busy site cost a tenth of a processor at most.
	compareEvery = 5 * time.Millisecond
	restFactor   = 9
	// viewRetry is the wait after the site could not be read.
	viewRetry = time.Second
	// idle is how long run waits where nothing is to come.
	idle = time.Hour
)

// notifier is run's own state.
type notifier struct {
	*observers
	box     *outbox
	applied <-chan struct{} // closed when something was applied since the comparison
	changed bool            // it was
	rest    time.Time       // no comparison before
	work    sync.WaitGroup  // notifications that a disk is asked for
}

// run sends what is due until ctx is done.
func (o *observers) run(ctx context.Context) {
	n := notifier{observers: o, box: newOutbox(o.s)}
	defer n.work.Wait()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		n.turn(ctx)
		timer.Reset(n.pause())
		select {
		case <-ctx.Done():
			return
		case <-n.applied:
			n.changed, n.applied = true, nil
		case <-o.wake:
		case <-timer.C:
		}
	}
}

func (n *notifier) turn(ctx context.Context) {
	if n.fresh.Swap(false) {
		n.changed = true
	}
	if now := time.Now(); n.changed && !now.Before(n.rest) {
		n.compare(ctx, now)
	}
	for {
		n.mu.Lock()
		x := n.registry.Take(time.Now())
		n.mu.Unlock()
		if x == nil {
			break
		}
		n.notify(ctx, x)
	}
	n.transmit(n.box)
	n.box.flush()
}

// compare finds out which targets have changed. Without observers it asks the
// site nothing, not even for a sign.
func (n *notifier) compare(ctx context.Context, now time.Time) {
	n.mu.Lock()
	none := n.registry.Len() == 0
	n.mu.Unlock()
	if n.changed = false; none {
		n.applied = nil
		return
	}
	view, err := n.s.cfg.View(ctx)
	if err != nil {
		n.changed, n.rest = true, now.Add(viewRetry)
		return
	}
	n.applied = view.Applied() // before the reading: nothing is missed
	n.mu.Lock()
	n.registry.Compare(func(t observe.Target) uint64 { return versionOf(view, t) })
	n.mu.Unlock()
	n.rest = now.Add(max(compareEvery, (1+restFactor)*time.Since(now)))
}

// pause is how long there is nothing to do.
func (n *notifier) pause() time.Duration {
	now := time.Now()
	next := now.Add(idle)
	sooner := func(at time.Time, ok bool) {
		if ok && at.Before(next) {
			next = at
		}
	}
	n.mu.Lock()
	sooner(n.registry.Next())
	sooner(n.table.Next())
	n.mu.Unlock()
	sooner(n.rest, n.changed)
	return max(0, next.Sub(now))
}

// notify makes a notification, in a goroutine of its own where a disk is asked.
func (n *notifier) notify(ctx context.Context, x *observe.Observation[endpoint, *watch]) {
	if !x.Request.read.slow() {
		n.tell(ctx, n.box, x)
		return
	}
	select {
	case n.s.slow <- struct{}{}:
	default:
		n.unsent(x)
		return
	}
	n.work.Go(func() {
		defer func() { <-n.s.slow }()
		ctx, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		box := n.s.boxes.Get().(*outbox)
		defer n.s.boxes.Put(box)
		n.tell(ctx, box, x)
		box.flush()
		n.poke()
	})
}

// tell makes the notification of an observation that is due, and gives it to
// the table, or to its stream.
func (o *observers) tell(ctx context.Context, box *outbox, x *observe.Observation[endpoint, *watch]) {
	version, answer, err := o.represent(ctx, x)
	var refused *refusal
	if errors.As(err, &refused) {
		if refused.code.Class() == 5 { // it may be there, and will be asked for again
			o.unsent(x)
			return
		}
		last := refused.reply()
		o.tellLast(box, x, &last)
		return
	}
	now := time.Now()
	o.mu.Lock()
	if !o.registry.Holds(x) {
		o.mu.Unlock()
		return
	}
	_, measured := o.table.RoundTrip(x.Peer)
	notice := o.registry.Notify(now, int64(x.Request.logTime), version, measured, x)
	o.mu.Unlock()

	w := *x.Request
	w.noted, w.notice = true, notice.Sequence
	to := w.to
	to.watch = &w
	if !o.dispatch(box, &to, notification, box.shaped(&to, answer), notice.Confirmable) {
		o.unsent(x)
	}
}

// represent makes the representation that an observer is to be told, at least
// as new as the version. The error is a *refusal.
func (o *observers) represent(ctx context.Context, x *observe.Observation[endpoint, *watch]) (version uint64, r *reply, err error) {
	view, err := o.s.cfg.View(ctx)
	if err != nil {
		return 0, nil, o.s.refusalOfRead(err)
	}
	version = versionOf(view, x.Target)
	x.Request.logTime = view.LogTime()
	if r, err = x.Request.read.from(ctx, view); err != nil {
		return 0, nil, o.s.refusalOfRead(err)
	}
	return version, r, nil
}

// tellLast ends an observation with a notification that says why (RFC 7641
// section 4.2): what was observed is gone, or cannot be given as it was.
func (o *observers) tellLast(box *outbox, x *observe.Observation[endpoint, *watch], r *reply) {
	o.mu.Lock()
	held := o.registry.Holds(x) && o.registry.Remove(x.Peer, x.Token)
	o.count()
	o.mu.Unlock()
	if held {
		to := x.Request.to
		o.dispatch(box, &to, notification, r, true)
	}
}

func (o *observers) unsent(x *observe.Observation[endpoint, *watch]) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.registry.Holds(x) {
		o.registry.Unsent(time.Now(), x)
	}
}

// dispatch gives a message to the table, or to the stream it goes over. It
// returns false when there is no room for it.
func (o *observers) dispatch(box *outbox, to *envelope, name string, r *reply, confirmable bool) bool {
	box.compose(to, r)
	o.s.stats.responses[r.code].Add(1)
	if name == notification {
		o.s.stats.notifications.Add(1)
	}
	if to.session != nil && to.session.stream {
		to.session.deliver(&box.msg)
		return true
	}
	if box.msg.Type = message.NON; confirmable {
		box.msg.Type = message.CON
	}
	b, err := box.msg.Append(nil)
	if err != nil {
		panic(err) // replies are made here, of bounded parts
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if to.session != nil && to.session.gone {
		return true // to nobody
	}
	return o.table.Send(time.Now(), to.endpoint(), name+string(to.tokenBytes()), b) == nil
}

// transmit puts what the table wants sent now into box. A peer that answered
// none of the copies of a message loses its observations (RFC 7641 section 4.5).
func (o *observers) transmit(box *outbox) {
	o.mu.Lock()
	send, lost := o.table.Due(time.Now())
	for _, e := range lost {
		o.s.stats.lost.Add(uint64(o.registry.RemovePeer(e.Peer)))
		o.table.Forget(e.Peer)
	}
	for _, t := range send {
		if token, is := notified(t.Name); is && t.Type == message.NON {
			o.registry.Landed(t.Peer, token)
		}
	}
	o.count()
	o.mu.Unlock()
	for _, t := range send {
		box.forward(t.Peer, t.Datagram)
	}
}
