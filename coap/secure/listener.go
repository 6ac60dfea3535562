package secure

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"

	"skerry/coap/datagram"
)

const (
	// restartAfter is how old a handshake whose peer has returned a cookie must
	// be before another hello from its address ends it.
	restartAfter = 5 * time.Second
	// sweepsPerIdle is how often in an idle time silent sessions are looked for.
	sweepsPerIdle = 24
	// maxReadErrors is how often in a row reading the socket may fail before the
	// listener gives up.
	maxReadErrors = 100
)

// Listener is the sessions' door. Run must be called once for it to work.
type Listener struct {
	cfg     Config
	log     *slog.Logger
	socket  *datagram.Conn
	options []dtls.ServerOption
	senders sync.Pool // of *datagram.Sender
	ready   chan *Session
	closed  chan struct{}
	closing sync.Once
	work    sync.WaitGroup // handshakes
	stats   counters

	mu      sync.Mutex
	table   table
	cookies cookies
	done    bool // nothing begins any more
}

// counters are read by Stats.
type counters struct {
	established, failed, replaced, evicted, expired, turnedAway, dropped atomic.Uint64
}

// Stats are counts since the start, and what there is now.
type Stats struct {
	Sessions   int    // now
	Handshakes int    // now on their way
	Completed  uint64 // handshakes
	Failed     uint64 // handshakes, those given up among them
	Replaced   uint64 // sessions whose device came again from the same address
	Evicted    uint64 // sessions closed for others' sake
	Expired    uint64 // sessions closed for their silence
	TurnedAway uint64 // hellos answered without state
	Dropped    uint64 // messages that found no room
}

// Listen binds cfg.Addr.
func Listen(cfg Config) (*Listener, error) {
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	socket, err := datagram.Listen(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("secure: %w", err)
	}
	l := &Listener{
		cfg: cfg, log: cfg.Logger, socket: socket, options: cfg.options(), table: newTable(),
		ready: make(chan *Session, cfg.Limits.Handshakes), closed: make(chan struct{}),
	}
	l.senders.New = func() any { return datagram.NewSender(socket) }
	if _, err := rand.Read(l.cookies.secret[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("secure: %w", err), socket.Close())
	}
	return l, nil
}

// Addr is the address the listener is bound to.
func (l *Listener) Addr() *net.UDPAddr { return l.socket.Addr() }

// Run receives until ctx is done. Sessions stay open for what is still to be
// sent, until Close. It returns nil for such an end, and the cause of any other.
func (l *Listener) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		_ = l.socket.UDP().SetReadDeadline(time.Unix(1, 0)) // fails on a closed socket, which ends the reading too
	})
	defer stop()
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		l.sweep(ctx)
	}()
	l.log.Info("coaps serves", "addr", l.Addr().String())
	err := l.receive(ctx)
	cancel()
	l.mu.Lock()
	l.done = true
	l.mu.Unlock()
	l.work.Wait()
	<-swept
	return err
}

func (l *Listener) receive(ctx context.Context) error {
	in := datagram.NewReceiver(l.socket)
	for failed := 0; ; {
		messages, err := in.Receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			if failed++; failed > maxReadErrors {
				return fmt.Errorf("secure: read: %w", err)
			}
			continue
		}
		failed = 0
		now := time.Now()
		for i := range messages {
			l.route(ctx, &messages[i], now)
		}
	}
}

// Accept waits for the next session. Errors: net.ErrClosed, ctx's.
func (l *Listener) Accept(ctx context.Context) (*Session, error) {
	select {
	case s := <-l.ready:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends all sessions and releases the address. It may be called again.
func (l *Listener) Close() error {
	var err error
	l.closing.Do(func() {
		close(l.closed)
		l.mu.Lock()
		l.done = true
		sessions := l.table.all()
		l.mu.Unlock()
		l.end(sessions...)
		err = l.socket.Close()
	})
	return err
}

// Stats returns the counts.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	sessions, handshakes := len(l.table.sessions), len(l.table.begun)
	l.mu.Unlock()
	return Stats{
		Sessions: sessions, Handshakes: handshakes,
		Completed: l.stats.established.Load(), Failed: l.stats.failed.Load(),
		Replaced: l.stats.replaced.Load(), Evicted: l.stats.evicted.Load(), Expired: l.stats.expired.Load(),
		TurnedAway: l.stats.turnedAway.Load(), Dropped: l.stats.dropped.Load(),
	}
}

// send sends one datagram. What the kernel refuses is lost, as on the way.
func (l *Listener) send(peer netip.AddrPort, local datagram.Local, data []byte) {
	s := l.senders.Get().(*datagram.Sender)
	defer l.senders.Put(s)
	s.Send([]datagram.Message{{Peer: peer, Local: local, Data: data}})
}

// sweep ends sessions that were silent for too long.
func (l *Listener) sweep(ctx context.Context) {
	tick := time.NewTicker(max(time.Millisecond, l.cfg.Limits.Idle/sweepsPerIdle))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			l.mu.Lock()
			silent := l.table.silent(now.Add(-l.cfg.Limits.Idle))
			l.mu.Unlock()
			l.stats.expired.Add(uint64(len(silent)))
			l.end(silent...)
		}
	}
}

// end closes sessions for a reason of ours; an error would be the socket's.
func (l *Listener) end(sessions ...*Session) {
	for _, s := range sessions {
		_ = s.Close()
	}
}
