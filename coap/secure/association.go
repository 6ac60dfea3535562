package secure

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v5/deadline"

	"skerry/coap/datagram"
)

// queueSize is how many datagrams wait for an association; more are dropped, as
// the network drops them.
const queueSize = 16

// maxShake bounds all that is taken from the peer of a handshake, in bytes: the
// library keeps what it cannot read yet. A chain of certificates sent several
// times fits.
const maxShake = 64 << 10

// endpoint is where datagrams came from, and where to: the other way round it
// is how the answer goes. It never changes.
type endpoint struct {
	peer  netip.AddrPort
	local datagram.Local
}

func (e *endpoint) Network() string { return "udp" }
func (e *endpoint) String() string  { return e.peer.String() }

// association is one peer's share of the socket, as the library wants to see
// it: a net.PacketConn. It lives from the first hello to the end of the session.
type association struct {
	l      *Listener
	born   time.Time
	random [randomSize]byte // of the hello that began it
	first  *endpoint        // where that came from
	cancel context.CancelFunc

	in      chan packet
	arrived chan struct{} // gets one with what is queued in in
	read    *deadline.Deadline
	closed  chan struct{}
	closing sync.Once
	muted   atomic.Bool // nothing of it is sent any more

	claimed     atomic.Pointer[string] // the identity that its peer named in the handshake
	established atomic.Bool            // set once, when its handshake is complete

	// Guarded by Listener.mu.
	peer   netip.AddrPort // the address that it is found by
	cid    *connectionID  // nil where the peer speaks none
	cookie bool           // the peer has returned one
	over   bool           // it is in no table any more

	shaken  int       // bytes that were taken before it was established; the receiving goroutine's own
	latest  *endpoint // of the last datagram; the receiving goroutine's own
	settled *endpoint // of the last datagram that was read; the library's own
	// moving is a datagram from another endpoint than the one before it, while
	// the library judges whether the peer has moved there.
	moving atomic.Pointer[move]
}

// move is closed when it is judged.
type move struct{ judged chan struct{} }

// packet is a datagram on its way to an association.
type packet struct {
	data []byte
	from *endpoint
}

func newAssociation(l *Listener, m *datagram.Message, h *hello, now time.Time) *association {
	first := &endpoint{m.Peer, m.Local}
	return &association{
		l: l, born: now, random: h.random, peer: m.Peer, first: first, latest: first, settled: first,
		in: make(chan packet, queueSize), arrived: make(chan struct{}, 1), read: deadline.New(), closed: make(chan struct{}),
	}
}

// take queues a copy of a datagram. Only the receiving goroutine calls it.
func (a *association) take(m *datagram.Message) {
	if a.latest.peer != m.Peer || a.latest.local != m.Local {
		a.latest = &endpoint{m.Peer, m.Local}
	}
	var data []byte
	if a.established.Load() {
		data = protected(m.Data)
	} else if a.shaken += len(m.Data); a.shaken <= maxShake {
		data = append(data, m.Data...)
	}
	if len(data) == 0 {
		return
	}
	select {
	case a.in <- packet{data, a.latest}:
	default:
		a.l.stats.dropped.Add(1)
	}
	select {
	case a.arrived <- struct{}{}:
	default:
	}
}

// ReadFrom waits for a datagram. That the library calls it says that it is done
// with the one before.
func (a *association) ReadFrom(b []byte) (int, net.Addr, error) {
	if m := a.moving.Swap(nil); m != nil {
		close(m.judged)
	}
	select {
	case p := <-a.in:
		if p.from != a.settled {
			a.settled = p.from
			a.moving.Store(&move{make(chan struct{})})
		}
		return copy(b, p.data), p.from, nil
	case <-a.closed:
		return 0, nil, net.ErrClosed
	case <-a.read.Done():
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo sends a datagram to an address that ReadFrom returned. It does not wait.
func (a *association) WriteTo(b []byte, to net.Addr) (int, error) {
	if a.muted.Load() {
		return len(b), nil
	}
	if !a.established.Load() && isServerHello(b) {
		a.l.cookieReturned(a)
	}
	e := to.(*endpoint)
	a.l.send(e.peer, e.local, b)
	return len(b), nil
}

// Close takes the association out of all tables.
func (a *association) Close() error {
	a.closing.Do(func() {
		close(a.closed)
		a.l.forget(a)
	})
	return nil
}

// LocalAddr is the socket's.
func (a *association) LocalAddr() net.Addr { return a.l.socket.Addr() }

// SetReadDeadline ends a ReadFrom that waits.
func (a *association) SetReadDeadline(t time.Time) error { a.read.Set(t); return nil }

// SetWriteDeadline does nothing, as WriteTo never waits.
func (a *association) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline is SetReadDeadline.
func (a *association) SetDeadline(t time.Time) error { return a.SetReadDeadline(t) }
