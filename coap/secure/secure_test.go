package secure_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"skerry/coap/secure"
)

// patience is how long a test waits for what must happen.
const patience = 15 * time.Second

// keys are the site's, by identity.
var keys = map[string]string{"pump-7": "secret of pump-7", "tank-1": "secret of tank-1"}

func keyOf(identity string) ([]byte, bool) {
	key, ok := keys[identity]
	return []byte(key), ok
}

// door is a listener at work, and its sessions, which say each message back.
type door struct {
	*secure.Listener
	tb testing.TB

	mu       sync.Mutex
	sessions []*secure.Session
	ended    int
}

// open starts a door that knows keys, unless change says otherwise.
func open(tb testing.TB, change func(*secure.Config)) *door {
	tb.Helper()
	cfg := secure.Config{Addr: "127.0.0.1:0", PSK: keyOf, Limits: secure.DefaultLimits(), Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	l, err := secure.Listen(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	d := &door{Listener: l, tb: tb}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		if err := l.Run(ctx); err != nil {
			tb.Error(err)
		}
	})
	work.Go(func() {
		for {
			s, err := l.Accept(ctx)
			if err != nil {
				return
			}
			work.Go(func() { d.serve(s) })
		}
	})
	tb.Cleanup(func() {
		cancel()
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
		work.Wait()
		if s := l.Stats(); s.Sessions != 0 || s.Handshakes != 0 {
			tb.Errorf("%d sessions and %d handshakes are left", s.Sessions, s.Handshakes)
		}
	})
	return d
}

func (d *door) serve(s *secure.Session) {
	d.mu.Lock()
	d.sessions = append(d.sessions, s)
	d.mu.Unlock()
	b := make([]byte, 4096)
	for {
		n, err := s.Read(b, time.Hour)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				d.tb.Error(err)
			}
			break
		}
		if _, err := s.Write(b[:n]); err != nil && !errors.Is(err, dtls.ErrConnClosed) {
			d.tb.Error(err)
		}
	}
	d.mu.Lock()
	d.ended++
	d.mu.Unlock()
}

// latest is the session accepted last.
func (d *door) latest() *secure.Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sessions[len(d.sessions)-1]
}

func (d *door) over() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

// until waits for a condition.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("still waiting for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// roamer is a device's socket that can be exchanged for another.
type roamer struct {
	mu sync.Mutex
	*net.UDPConn
}

func newRoamer(tb testing.TB, from string) *roamer {
	tb.Helper()
	return &roamer{UDPConn: udp(tb, from)}
}

func udp(tb testing.TB, from string) *net.UDPConn {
	tb.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(from)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}

func (r *roamer) now() *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.UDPConn
}

// move goes on from another port.
func (r *roamer) move(tb testing.TB, from string) {
	tb.Helper()
	next := udp(tb, from)
	r.mu.Lock()
	before := r.UDPConn
	r.UDPConn = next
	r.mu.Unlock()
	if err := before.SetReadDeadline(time.Unix(1, 0)); err != nil { // wakes who reads it
		tb.Fatal(err)
	}
}

func (r *roamer) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		conn := r.now()
		n, from, err := conn.ReadFrom(b)
		if err != nil && conn != r.now() {
			continue
		}
		return n, from, err
	}
}

func (r *roamer) WriteTo(b []byte, to net.Addr) (int, error) { return r.now().WriteTo(b, to) }

func (r *roamer) LocalAddr() net.Addr { return r.now().LocalAddr() }

func (r *roamer) Close() error { return nil } // the socket outlives a client that is switched off

func (r *roamer) SetReadDeadline(t time.Time) error { return r.now().SetReadDeadline(t) }

// device is a DTLS client.
type device struct {
	*dtls.Conn
	tb testing.TB
}

// knowing are the options of a client with a key.
func knowing(identity, key string) []dtls.ClientOption {
	return []dtls.ClientOption{
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(key), nil }),
		dtls.WithPSKIdentityHint([]byte(identity)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8),
	}
}

// dial shakes hands from a socket, once.
func (d *door) dial(conn net.PacketConn, options ...dtls.ClientOption) (*device, error) {
	d.tb.Helper()
	c, err := dtls.ClientWithOptions(conn, d.Addr(), options...)
	if err != nil {
		d.tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	d.tb.Cleanup(func() { c.Close() })
	return &device{c, d.tb}, nil
}

// enter shakes hands with the key of an identity.
func (d *door) enter(conn net.PacketConn, identity string, more ...dtls.ClientOption) *device {
	d.tb.Helper()
	before := int(d.Stats().Completed)
	c, err := d.dial(conn, append(knowing(identity, keys[identity]), more...)...)
	if err != nil {
		d.tb.Fatal(err)
	}
	until(d.tb, "the session", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.sessions) > before
	})
	return c
}

// say sends a text and wants it back.
func (c *device) say(text string) {
	c.tb.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		c.tb.Fatal(err)
	}
	if got := c.hear(); got != text {
		c.tb.Fatalf("heard %q, want %q", got, text)
	}
}

func (c *device) hear() string {
	c.tb.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.tb.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		c.tb.Fatal(err)
	}
	return string(b[:n])
}
