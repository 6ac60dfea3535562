package stream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"skerry/coap/message"
)

var (
	// ErrClosed: the connection has ended.
	ErrClosed = errors.New("stream: connection is closed")
	// ErrSlow: the peer does not read its answers; the connection ends.
	ErrSlow = errors.New("stream: the peer reads too slowly")
	// ErrAnonymous: a certificate whose subject has no common name.
	ErrAnonymous = errors.New("stream: the certificate's subject has no common name")
	// ErrUnknown: the name in a certificate is not let in.
	ErrUnknown = errors.New("stream: the device is not known")
	// ErrTooLarge: a message beyond MaxMessage.
	ErrTooLarge = errors.New("stream: the message is too large")
)

// keptFrame is the most that a connection keeps of its buffer between
// messages, in bytes.
const keptFrame = 2 << 10

// Conn is one connection. To the library it is a net.Conn whose Read hands out
// whole messages and whose Write waits for nobody.
type Conn struct {
	net.Conn // the socket, or TLS over it
	l        *Listener
	id       uint64
	name     string // set before the handler is made
	remote   netip.AddrPort
	opened   time.Time
	reader   *bufio.Reader
	accept   func(*Conn) Handler
	handler  Handler         // of the reading goroutine
	msg      message.Message // of the reading goroutine
	frame    []byte          // the message that is being handed out
	rest     []byte          // what is left of it

	queue   chan []byte
	heard   atomic.Int64 // Unix nanoseconds
	asked   atomic.Bool  // for a sign of life since then
	leaving atomic.Bool  // its last word is queued
	ready   chan struct{}
	closed  chan struct{}
	closing sync.Once
}

func newConn(l *Listener, socket net.Conn, accept func(*Conn) Handler) *Conn {
	c := &Conn{
		Conn: socket, l: l, id: randomNumber(), opened: time.Now(), accept: accept,
		queue: make(chan []byte, l.cfg.Limits.Queue), ready: make(chan struct{}), closed: make(chan struct{}),
	}
	if at, ok := socket.RemoteAddr().(*net.TCPAddr); ok {
		c.remote = netip.AddrPortFrom(at.AddrPort().Addr().Unmap(), at.AddrPort().Port())
	}
	c.heard.Store(c.opened.UnixNano())
	if l.tls != nil {
		c.Conn = tls.Server(socket, l.tls)
	}
	c.reader = bufio.NewReaderSize(c.Conn, keptFrame)
	c.queue <- l.csm // first of all (RFC 8323 section 5.3)
	return c
}

// ID tells the connection from all others, of this process and of others: it is random.
func (c *Conn) ID() uint64 { return c.id }

// Identity is who the peer proved to be, "" over plain TCP.
func (c *Conn) Identity() string { return c.name }

// Remote is the peer's address.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Send queues a message for the peer; its type and ID are not sent. It never
// waits: where the peer has not read what was sent before, the connection ends.
// Errors: ErrSlow, ErrClosed, that of the encoding.
func (c *Conn) Send(m *message.Message) error {
	b, err := m.AppendStream(nil)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return c.enqueue(b)
}

func (c *Conn) enqueue(b []byte) error {
	select {
	case <-c.closed:
		return ErrClosed
	default:
	}
	select {
	case c.queue <- b:
		return nil
	default:
		c.l.stats.slow.Add(1)
		_ = c.Close() // the peer's loss; the reader ends by it
		return ErrSlow
	}
}

// Write queues what the library has to say, which is signals.
func (c *Conn) Write(b []byte) (int, error) {
	if err := c.enqueue(append([]byte(nil), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends the connection, after its last word where there is one. It may be
// called again.
func (c *Conn) Close() error {
	if c.leaving.Load() {
		return nil // the writer ends it
	}
	return c.end()
}

func (c *Conn) end() error {
	var err error
	c.closing.Do(func() {
		close(c.closed)
		err = c.Conn.Close()
	})
	return err
}

// Read hands out the bytes of one message after the other. Only the library's
// goroutine calls it; when it does, the message before is handled.
func (c *Conn) Read(b []byte) (int, error) {
	if c.handler == nil {
		if err := c.shake(); err != nil {
			return 0, err
		}
	}
	if len(c.rest) == 0 {
		if err := c.next(); err != nil {
			c.abort(err)
			return 0, err
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// shake learns who the peer is, and makes the handler.
func (c *Conn) shake() error {
	if conn, ok := c.Conn.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(context.Background(), c.l.cfg.Limits.Handshake)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			return err
		}
		c.name = conn.ConnectionState().PeerCertificates[0].Subject.CommonName
		if c.name == "" {
			return ErrAnonymous
		}
		if c.l.cfg.Admit != nil && !c.l.cfg.Admit(c.name) {
			return fmt.Errorf("%w: %s", ErrUnknown, c.name)
		}
	}
	c.handler = c.accept(c)
	close(c.ready)
	return nil
}

// next reads the next message, and judges it as far as its frame goes.
func (c *Conn) next() error {
	head, err := c.head()
	if err != nil {
		return err
	}
	size, _ := message.FrameSize(head)
	if size > int64(c.l.cfg.Limits.MaxMessage) {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	if cap(c.frame) > keptFrame || int64(cap(c.frame)) < size {
		c.frame = make([]byte, size)
	}
	c.frame = c.frame[:size]
	if _, err := io.ReadFull(c.reader, c.frame); err != nil {
		return err
	}
	c.heard.Store(time.Now().UnixNano())
	c.asked.Store(false)
	c.rest = c.frame
	return nil
}

// head waits for as many bytes as tell the size of a message.
func (c *Conn) head() ([]byte, error) {
	for n := 1; ; n++ {
		head, err := c.reader.Peek(n)
		if err != nil {
			return nil, err
		}
		if _, ok := message.FrameSize(head); ok {
			return head, nil
		}
	}
}

// deliver takes the message in hand to the handler. The library calls it after
// it has read the message's last byte, and before it reads on.
func (c *Conn) deliver() error {
	kind, err := message.ParseStream(c.frame, &c.msg)
	var option *message.OptionError
	if err != nil && !errors.As(err, &option) {
		c.abort(err)
		return err
	}
	if !c.msg.Code.IsSignal() {
		c.handler.Handle(&c.msg, kind, err)
	}
	return nil
}

// abort tells the peer why the connection ends, where it is the peer's fault
// (RFC 8323 section 5.6).
func (c *Conn) abort(err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	c.l.stats.malformed.Add(1)
	m := message.Message{Code: message.Abort, Payload: []byte(err.Error())}
	if b, err := m.AppendStream(nil); err == nil && c.enqueue(b) == nil && c.enqueue(nil) == nil {
		c.leaving.Store(true)
	}
}

// write sends what is queued, until the connection ends.
func (c *Conn) write() {
	select {
	case <-c.ready:
	case <-c.closed:
		return
	}
	for {
		select {
		case b := <-c.queue:
			if b == nil || c.put(b) != nil {
				_ = c.end() // the reader ends by it
				return
			}
		case <-c.closed:
			return
		}
	}
}

func (c *Conn) put(b []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(c.l.cfg.Limits.Handshake)); err != nil {
		return err
	}
	_, err := c.Conn.Write(b)
	return err
}

// ping asks for a sign of life (RFC 8323 section 5.4).
var ping = []byte{0, byte(message.Ping)}

// watch asks a silent peer for a sign of life, and closes one that gives none.
func (c *Conn) watch(now time.Time) {
	silent := now.Sub(time.Unix(0, c.heard.Load()))
	switch {
	case silent > c.l.cfg.Limits.KeepAlive+c.l.cfg.Limits.Patience:
		c.l.stats.silent.Add(1)
		_ = c.Close() // the reader ends by it
	case silent > c.l.cfg.Limits.KeepAlive && !c.asked.Swap(true):
		_ = c.enqueue(ping) // an error ends the connection by itself
	}
}
