package secure

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// table finds associations. The Listener's mutex guards it.
//
// Invariant: an association is in begun until its handshake is complete, then
// in sessions, and in byAddress as long as no other came to its address.
type table struct {
	begun     map[netip.AddrPort]*association // handshakes
	cookies   int                             // of begun, those that returned a cookie
	byCID     map[connectionID]*association
	byAddress map[netip.AddrPort]*association // of sessions
	sessions  map[*association]*Session
}

func newTable() table {
	return table{
		begun:     map[netip.AddrPort]*association{},
		byCID:     map[connectionID]*association{},
		byAddress: map[netip.AddrPort]*association{},
		sessions:  map[*association]*Session{},
	}
}

// begin adds a handshake.
func (t *table) begin(a *association) { t.begun[a.peer] = a }

// returned notes that the peer of a handshake has returned a cookie.
func (t *table) returned(a *association) {
	if !a.cookie && t.begun[a.peer] == a {
		a.cookie = true
		t.cookies++
	}
}

// strangers is how many handshakes have not returned a cookie.
func (t *table) strangers() int { return len(t.begun) - t.cookies }

// oldest is the handshake to end for another's sake, of those on a host where
// one is given: the oldest without a cookie, or else the oldest.
func (t *table) oldest(host netip.Addr) (found *association, n int) {
	for _, a := range t.begun {
		if host.IsValid() && a.peer.Addr() != host {
			continue
		}
		n++
		if found == nil || !a.cookie && found.cookie || a.cookie == found.cookie && a.born.Before(found.born) {
			found = a
		}
	}
	return found, n
}

// establish makes a session of a handshake and returns the one it replaces at
// its address, nil for none. ok is false when the handshake was ended meanwhile.
func (t *table) establish(a *association, s *Session) (replaced *Session, ok bool) {
	if a.over {
		return nil, false
	}
	t.end(a)
	if before := t.byAddress[a.peer]; before != nil {
		replaced = t.sessions[before]
	}
	t.byAddress[a.peer] = a
	t.sessions[a] = s
	return replaced, true
}

// end takes an association out of the handshakes.
func (t *table) end(a *association) {
	if t.begun[a.peer] != a {
		return
	}
	delete(t.begun, a.peer)
	if a.cookie {
		t.cookies--
	}
}

// name gives an association its connection ID.
func (t *table) name(a *association, id connectionID) {
	if a.over {
		return
	}
	a.cid = &id
	t.byCID[id] = a
}

// move has an association be found at another address.
func (t *table) move(a *association, to netip.AddrPort) {
	if a.over || a.peer == to {
		return
	}
	if t.byAddress[a.peer] == a {
		delete(t.byAddress, a.peer)
	}
	a.peer = to
	t.byAddress[to] = a
}

// remove takes an association out of everything.
func (t *table) remove(a *association) {
	a.over = true
	t.end(a)
	if t.byAddress[a.peer] == a {
		delete(t.byAddress, a.peer)
	}
	if a.cid != nil {
		delete(t.byCID, *a.cid)
	}
	delete(t.sessions, a)
}

// surplus is the session that is beyond the limits now that one was added: the
// least recently heard of an identity that has too many, or of all; nil for none.
func (t *table) surplus(l *Limits, identity string) *Session {
	var mine, any *Session
	n := 0
	for _, s := range t.sessions {
		if s.olderThan(any) {
			any = s
		}
		if s.name != identity {
			continue
		}
		n++
		if s.olderThan(mine) {
			mine = s
		}
	}
	switch {
	case n > l.SessionsPerIdentity:
		return mine
	case len(t.sessions) > l.Sessions:
		return any
	}
	return nil
}

// all are the sessions.
func (t *table) all() []*Session { return slices.Collect(maps.Values(t.sessions)) }

// silent are the sessions not heard since a time.
func (t *table) silent(since time.Time) []*Session {
	var list []*Session
	for _, s := range t.sessions {
		if s.heard.Load() < since.UnixNano() {
			list = append(list, s)
		}
	}
	return list
}
