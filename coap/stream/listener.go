package stream

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	"github.com/plgd-dev/go-coap/v3/tcp/client"
	"github.com/plgd-dev/go-coap/v3/tcp/server"

	"skerry/coap/message"
)

const (
	// acceptPause is the wait after a connection could not be accepted: there
	// are too many files open.
	acceptPause = 100 * time.Millisecond
	// watchPeriod is how often connections are looked after.
	watchPeriod = time.Second
	// The options of a CSM (RFC 8323 section 5.3).
	maxMessageSize    message.Number = 2
	blockWiseTransfer message.Number = 4
)

// Listener is the connections' door. Run must be called once for it to work.
type Listener struct {
	cfg    Config
	log    *slog.Logger
	socket *net.TCPListener
	tls    *tls.Config
	csm    []byte
	work   sync.WaitGroup // writers
	stats  counters

	mu    sync.Mutex
	conns map[*Conn]struct{}
}

// counters are read by Stats.
type counters struct{ accepted, evicted, silent, slow, malformed atomic.Uint64 }

// Stats are counts since the start, and what there is now.
type Stats struct {
	Connections int    // now
	Accepted    uint64 // connections
	Evicted     uint64 // closed for others' sake
	Silent      uint64 // closed because their peers gave no sign of life
	Slow        uint64 // closed because their peers did not read
	Malformed   uint64 // closed because what came was no CoAP
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
	csm := message.Message{Code: message.CSM}
	csm.AddUint(maxMessageSize, uint32(cfg.Limits.MaxMessage))
	csm.Add(blockWiseTransfer, nil)
	l := &Listener{cfg: cfg, log: cfg.Logger, tls: cfg.tls(), conns: map[*Conn]struct{}{}}
	var err error
	if l.csm, err = csm.AppendStream(nil); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	at, err := net.ResolveTCPAddr("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("stream: address %q: %w", cfg.Addr, err)
	}
	l.socket, err = net.ListenTCP("tcp", at)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("stream: %s is taken by another program: stop it, or listen on another address: %w", cfg.Addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("stream: listen on %s: %w", cfg.Addr, err)
	}
	return l, nil
}

// Addr is the address the listener is bound to.
func (l *Listener) Addr() *net.TCPAddr { return l.socket.Addr().(*net.TCPAddr) }

// Run serves until ctx is done, and closes all connections then.
func (l *Listener) Run(ctx context.Context) error {
	s := server.New(configure(l.configure))
	stop := context.AfterFunc(ctx, s.Stop)
	defer stop()
	l.log.Info("coap over tcp serves", "addr", l.Addr().String(), "tls", l.tls != nil)
	watched := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		l.watch(ctx)
	}()
	err := s.Serve(accepter{l, ctx})
	cancel()
	<-watched
	l.work.Wait()
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return nil
}

// Close releases the address. It may be called after Listen or Run, and again.
func (l *Listener) Close() error {
	if err := l.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stream: close: %w", err)
	}
	return nil
}

// Stats returns the counts.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{
		Connections: len(l.conns), Accepted: l.stats.accepted.Load(), Evicted: l.stats.evicted.Load(),
		Silent: l.stats.silent.Load(), Slow: l.stats.slow.Load(), Malformed: l.stats.malformed.Load(),
	}
}

// configure is a server's option of ours.
type configure func(*server.Config)

// TCPServerApply applies the option.
func (f configure) TCPServerApply(c *server.Config) { f(c) }

// configure leaves to the library what it is here for: frames, signals, and the
// life of connections. Blocks are the front door's.
func (l *Listener) configure(c *server.Config) {
	c.BlockwiseEnable = false
	c.DisableTCPSignalMessageCSM = true // ours says more
	c.MaxMessageSize = uint32(l.cfg.Limits.MaxMessage)
	c.ConnectionCacheSize = keptFrame
	c.ReceivedMessageQueueSize = 0
	c.CreateInactivityMonitor = nil
	c.PeriodicRunner = func(func(time.Time) bool) {}
	c.Errors = func(err error) { l.log.Debug("coap over tcp", "err", err) }
	c.Handler = func(*responsewriter.ResponseWriter[*client.Conn], *pool.Message) {}
	c.OnNewConn = func(cc *client.Conn) {
		c := cc.NetConn().(*Conn)
		cc.AddOnClose(func() { l.ended(c) })
	}
	c.RequestMonitor = func(cc *client.Conn, m *pool.Message) (drop bool, err error) {
		err = cc.NetConn().(*Conn).deliver()
		return !message.Code(m.Code()).IsSignal(), err
	}
}

// accepter is the socket as the library wants it.
type accepter struct {
	l   *Listener
	ctx context.Context // of Run, for the handlers
}

// AcceptWithContext waits for a connection; Close ends it, as ctx ends with
// the server that calls both.
func (a accepter) AcceptWithContext(ctx context.Context) (net.Conn, error) {
	socket, err := a.l.socket.Accept()
	switch {
	case errors.Is(err, net.ErrClosed):
		return nil, coapnet.ErrListenerIsClosed
	case err != nil:
		select {
		case <-ctx.Done():
		case <-time.After(acceptPause):
		}
		return nil, err
	}
	return a.l.open(a.ctx, socket), nil
}

// Close ends the accepting.
func (a accepter) Close() error { return a.l.Close() }

// open makes a connection of a socket, and closes the one that is beyond the
// bounds for its sake.
func (l *Listener) open(ctx context.Context, socket net.Conn) *Conn {
	c := newConn(l, socket, func(c *Conn) Handler { return l.cfg.Accept(ctx, c) })
	l.stats.accepted.Add(1)
	l.work.Go(c.write)
	l.mu.Lock()
	surplus := l.surplus(c.remote.Addr())
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	if surplus != nil {
		l.stats.evicted.Add(1)
		_ = surplus.Close() // its reader ends by it
	}
	return c
}

// surplus is the connection that another one from a host takes the place of: of
// those of the host or of all, the one that was silent for longest; nil where
// there is room. l.mu is held.
func (l *Listener) surplus(host netip.Addr) *Conn {
	var mine, any *Conn
	n, all := 0, 0
	older := func(c, than *Conn) bool { return than == nil || c.heard.Load() < than.heard.Load() }
	for c := range l.conns {
		select {
		case <-c.closed:
			continue // on its way out
		default:
		}
		all++
		if older(c, any) {
			any = c
		}
		if c.remote.Addr() != host {
			continue
		}
		n++
		if older(c, mine) {
			mine = c
		}
	}
	switch {
	case n >= l.cfg.Limits.ConnectionsPerHost:
		return mine
	case all >= l.cfg.Limits.Connections:
		return any
	}
	return nil
}

// ended forgets a connection.
func (l *Listener) ended(c *Conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	if c.handler != nil {
		c.handler.Ended()
	}
}

// watch looks after silent connections.
func (l *Listener) watch(ctx context.Context) {
	tick := time.NewTicker(min(watchPeriod, l.cfg.Limits.KeepAlive, l.cfg.Limits.Patience))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			l.mu.Lock()
			list := make([]*Conn, 0, len(l.conns))
			for c := range l.conns {
				list = append(list, c)
			}
			l.mu.Unlock()
			for _, c := range list {
				c.watch(now)
			}
		}
	}
}

// randomNumber is one that nobody foresees.
func randomNumber() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // the kernel's random numbers never fail
	}
	return binary.BigEndian.Uint64(b[:])
}
