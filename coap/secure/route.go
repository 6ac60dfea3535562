package secure

import (
	"context"
	"net/netip"
	"time"

	"skerry/coap/datagram"
)

// route takes a datagram to the association it belongs to. Only the receiving
// goroutine calls it.
func (l *Listener) route(ctx context.Context, m *datagram.Message, now time.Time) {
	if m.Local.Group {
		return // no session is with a group
	}
	if id, ok := cidOf(m.Data); ok {
		l.mu.Lock()
		a := l.table.byCID[id]
		l.mu.Unlock()
		if a != nil {
			a.take(m)
		}
		return // a session that this gateway does not know: its peer finds out by itself
	}
	if h, ok := helloOf(m.Data); ok {
		l.hello(ctx, m, &h, now)
		return
	}
	l.mu.Lock()
	begun, session := l.table.begun[m.Peer], l.table.byAddress[m.Peer]
	l.mu.Unlock()
	// While a handshake is on its way at a session's address, which of them a
	// record is for shows by whose keys open it.
	if begun != nil {
		begun.take(m)
	}
	if session != nil {
		session.take(m)
	}
}

// hello begins a handshake, goes on with one, or answers without state.
func (l *Listener) hello(ctx context.Context, m *datagram.Message, h *hello, now time.Time) {
	l.mu.Lock()
	a := l.table.begun[m.Peer]
	switch {
	case a != nil && (a.random == h.random || h.sequence > 0):
		l.mu.Unlock()
		a.take(m)
		return
	case a != nil && a.cookie && now.Sub(a.born) < restartAfter:
		l.mu.Unlock()
		return // it may be forged, and the handshake goes on
	}
	answer, begins := l.judge(m, h, now)
	var ended []*association
	if begins {
		a, ended = l.begin(m, h, now)
	}
	if begins && a != nil {
		shaking, cancel := context.WithCancel(ctx)
		a.cancel = cancel
		l.work.Go(func() { l.shake(shaking, a) })
	}
	l.mu.Unlock()
	for _, old := range ended {
		old.cancel()
	}
	if answer != nil {
		l.stats.turnedAway.Add(1)
		l.send(m.Peer, m.Local, answer)
	}
	if begins && a != nil {
		a.take(m)
	}
}

// judge says whether a hello begins a handshake here, or how else it is
// answered, if at all. l.mu is held.
func (l *Listener) judge(m *datagram.Message, h *hello, now time.Time) (answer []byte, begins bool) {
	pressed := l.table.strangers() >= l.cfg.Limits.Handshakes/2
	switch {
	case l.done:
		return nil, false
	case h.sequence > 0:
		// The middle of a handshake that began without state, or that is forgotten.
		if !l.cookies.returned(m.Peer, h, now) {
			return nil, false
		}
		l.cookies.remember(m.Peer.Addr(), now)
		return beginAgain(h), false
	case pressed && !l.cookies.reaches(m.Peer.Addr(), now):
		return verifyRequest(h, l.cookies.of(m.Peer, h, now)), false
	}
	return nil, true
}

// begin adds a handshake and returns those that end for its sake: an earlier
// one at its address, and the oldest beyond the bounds. l.mu is held.
func (l *Listener) begin(m *datagram.Message, h *hello, now time.Time) (a *association, ended []*association) {
	drop := func(a *association) {
		l.table.remove(a)
		ended = append(ended, a)
	}
	if before := l.table.begun[m.Peer]; before != nil {
		drop(before)
	}
	if oldest, n := l.table.oldest(m.Peer.Addr()); n >= l.cfg.Limits.HandshakesPerHost {
		drop(oldest)
	}
	if len(l.table.begun) >= l.cfg.Limits.Handshakes {
		oldest, _ := l.table.oldest(netip.Addr{})
		drop(oldest)
	}
	a = newAssociation(l, m, h, now)
	l.table.begin(a)
	return a, ended
}

// cookieReturned notes that the peer of a handshake is where it says it is.
func (l *Listener) cookieReturned(a *association) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.returned(a)
}

// giveUpStranger ends a handshake whose peer has returned no cookie.
func (l *Listener) giveUpStranger(a *association) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !a.cookie && !a.over {
		a.cancel()
	}
}

// establish makes a session known, and closes those that it replaces.
func (l *Listener) establish(s *Session) {
	a := s.association
	l.mu.Lock()
	replaced, ok := l.table.establish(a, s)
	if !ok || l.done {
		l.mu.Unlock()
		l.end(s)
		return
	}
	a.established.Store(true)
	if replaced != nil {
		l.table.remove(replaced.association)
	}
	surplus := l.table.surplus(&l.cfg.Limits, s.name)
	l.mu.Unlock()
	l.stats.established.Add(1)
	if replaced != nil {
		l.stats.replaced.Add(1)
		replaced.association.muted.Store(true) // its peer is another one now
		l.end(replaced)
	}
	if surplus != nil {
		l.stats.evicted.Add(1)
		l.end(surplus)
	}
	select {
	case l.ready <- s:
	default: // nobody accepts
		l.stats.dropped.Add(1)
		l.end(s)
	}
}

// moved notes that a session's peer is at another address.
func (l *Listener) moved(a *association, to netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.move(a, to)
}

// forget takes an association out of the table.
func (l *Listener) forget(a *association) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.remove(a)
}
