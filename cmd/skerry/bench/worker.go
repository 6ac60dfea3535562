package bench

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	ackTimeout    = 2 * time.Second        // before a request goes out again; doubles each time (RFC 7252, 4.2)
	maxRetransmit = 4                      // times a request goes out again before it counts as failed
	refusedPause  = 200 * time.Millisecond // before a refused client asks again
	tick          = 50 * time.Millisecond  // how late a retransmission may be
	pacedTick     = time.Millisecond       // how late a request of a paced client may be
	maxEvents     = 256                    // sockets taken from epoll at once
	maxDatagram   = 1500                   // bytes of an answer that are read
)

// client is one socket with at most one request in flight.
type client struct {
	fd    int
	req   *request
	mid   uint16
	token uint32
	first time.Duration // when the request in flight was first sent
	due   time.Duration // when it goes out again, or when a client that waits asks
	turn  time.Duration // when a paced client was last to ask
	tries int           // copies sent; 0 while a refused or paced client waits
}

// worker serves a group of clients on one goroutine. Times are since start.
type worker struct {
	epoll   int
	clients []client
	byFD    map[int32]*client
	start   time.Time
	from    time.Duration // answers in [from, to) count
	to      time.Duration
	every   time.Duration // between the requests of a client; 0 is without a pause
	tick    time.Duration
	counts  counts
	trace   bool
	answers []Answer // with trace
}

// counts is what one worker saw between from and to.
type counts struct {
	latency     Histogram   // of answered requests, from their first copy on
	codes       [256]uint64 // answers by code
	resets      uint64      // answered by RST
	unanswered  uint64      // given up after maxRetransmit
	retransmits uint64      // copies sent again
}

// newWorker opens the sockets of clients first, first+1, ... first+n-1.
func newWorker(to []netip.AddrPort, first, n, pack int, seed uint64) (*worker, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	w := &worker{epoll: epoll, clients: make([]client, n), byFD: make(map[int32]*client, n), tick: tick}
	for i := range w.clients {
		c := &w.clients[i]
		c.fd = -1
		id := first + i
		c.req = newRequest(id, pack, seed)
		c.mid, c.token = uint16(c.req.rng.Uint32()), c.req.rng.Uint32()
	}
	for i := range w.clients {
		if err := w.open(&w.clients[i], to[(first+i)%len(to)]); err != nil {
			w.close()
			return nil, fmt.Errorf("client %d: %w", first+i, err)
		}
	}
	return w, nil
}

// open connects a client's socket and has epoll watch it.
func (w *worker) open(c *client, to netip.AddrPort) error {
	family, addr := sockaddr(to)
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w (ulimit -n bounds the clients)", err)
	}
	c.fd = fd
	w.byFD[int32(fd)] = c
	if err := unix.Connect(fd, addr); err != nil {
		return fmt.Errorf("connect to %s: %w", to, err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

func sockaddr(to netip.AddrPort) (family int, addr unix.Sockaddr) {
	if ip := to.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: ip.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

// close releases the sockets.
func (w *worker) close() {
	for i := range w.clients {
		if fd := w.clients[i].fd; fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	_ = unix.Close(w.epoll)
}

// run sends until w.to is over or done is closed. Requests in flight then are
// left without an answer and do not count.
func (w *worker) run(start time.Time, done <-chan struct{}) error {
	w.start = start
	now := time.Since(start)
	for i := range w.clients {
		w.begin(&w.clients[i], now, i)
	}
	events := make([]unix.EpollEvent, maxEvents)
	buf := make([]byte, maxDatagram)
	sweep := now + w.tick
	for now < w.to {
		select {
		case <-done:
			return nil
		default:
		}
		n, err := unix.EpollWait(w.epoll, events, int(w.tick/time.Millisecond))
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		for i := range max(n, 0) {
			w.drain(w.byFD[events[i].Fd], buf)
		}
		if now = time.Since(start); now >= sweep {
			w.sweep(now)
			sweep = now + w.tick
		}
	}
	return nil
}

// pace has each client ask every period, the clients one after the other.
func (w *worker) pace(every time.Duration) { w.every, w.tick = every, pacedTick }

// begin sends the first request of client i, or says when its turn is.
func (w *worker) begin(c *client, now time.Duration, i int) {
	if w.every == 0 {
		w.ask(c, now)
		return
	}
	c.turn = now + w.every*time.Duration(i)/time.Duration(len(w.clients))
	c.due = c.turn
}

// ask sends a client's next request.
func (w *worker) ask(c *client, now time.Duration) {
	c.mid++
	c.token++
	c.req.next(c.mid, c.token, w.start.Add(now))
	c.first, c.tries = now, 0
	w.send(c, now)
}

// send sends the request in flight, once more. An error (the node is down, the
// socket's buffer is full) is like a lost datagram.
func (w *worker) send(c *client, now time.Duration) {
	_, _ = unix.Write(c.fd, c.req.datagram)
	c.due = now + ackTimeout<<c.tries
	c.tries++
}

// drain reads what a socket has. Only the answer to the request in flight
// matters; one to an earlier copy of an earlier request is dropped.
func (w *worker) drain(c *client, buf []byte) {
	for {
		n, err := unix.Read(c.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil { // EAGAIN: no more; ECONNREFUSED: the node is down, the sweep sends again
			return
		}
		now := time.Since(w.start)
		switch kind, code := c.classify(buf[:n]); kind {
		case answer:
			w.answered(c, code, now)
		case reset:
			if w.counted(now) {
				w.counts.resets++
			}
			c.tries, c.due = 0, now+refusedPause
		case other:
		}
	}
}

type kind uint8

const (
	other  kind = iota // nothing for the request in flight
	answer             // piggy-backed
	reset
)

// classify tells what a datagram is for the request in flight.
func (c *client) classify(d []byte) (kind, byte) {
	const acknowledgement, rst = 0x60, 0x70
	if len(d) < 4 || c.tries == 0 || binary.BigEndian.Uint16(d[2:]) != c.mid {
		return other, 0
	}
	switch {
	case d[0] == rst:
		return reset, 0
	case d[0] == acknowledgement|tokenLen && len(d) >= 4+tokenLen && binary.BigEndian.Uint32(d[4:]) == c.token:
		return answer, d[1]
	}
	return other, 0
}

// answered counts an answer and sends the next request, after a pause when
// the site did not take this one.
func (w *worker) answered(c *client, code byte, now time.Duration) {
	if w.counted(now) {
		w.counts.codes[code]++
		w.counts.latency.Record(now - c.first)
		if w.trace && code == codeChanged {
			w.answers = append(w.answers, Answer{At: now, Took: now - c.first})
		}
	}
	if code != codeChanged {
		c.tries, c.due = 0, now+refusedPause
		return
	}
	if w.every > 0 {
		c.turn = max(c.turn+w.every, now)
		c.tries, c.due = 0, c.turn
		return
	}
	w.ask(c, now)
}

// codeChanged is 2.04: stored on a majority of disks.
const codeChanged = 2<<5 | 4

// sweep sends again what waits too long.
func (w *worker) sweep(now time.Duration) {
	for i := range w.clients {
		c := &w.clients[i]
		switch {
		case now < c.due:
		case c.tries == 0:
			w.ask(c, now)
		case c.tries > maxRetransmit:
			if w.counted(now) {
				w.counts.unanswered++
			}
			w.ask(c, now)
		default:
			if w.counted(now) {
				w.counts.retransmits++
			}
			w.send(c, now)
		}
	}
}

func (w *worker) counted(now time.Duration) bool { return now >= w.from && now < w.to }
