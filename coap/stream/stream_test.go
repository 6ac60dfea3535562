package stream_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"skerry/coap/message"
	"skerry/coap/stream"
)

// patience is how long a test waits for what must happen.
const patience = 15 * time.Second

// door is a listener at work. It answers each request with who asked, and its
// payload; a request with a bad option with 4.02.
type door struct {
	*stream.Listener
	tb testing.TB

	mu    sync.Mutex
	conns []*stream.Conn
	ended int
}

func open(tb testing.TB, change func(*stream.Config)) *door {
	tb.Helper()
	d := &door{tb: tb}
	cfg := stream.Config{Addr: "127.0.0.1:0", Accept: d.accept, Limits: stream.DefaultLimits(), Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	l, err := stream.Listen(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	d.Listener = l
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
		if s := l.Stats(); s.Connections != 0 {
			tb.Errorf("%d connections are left", s.Connections)
		}
		if d.over() != d.accepted() {
			tb.Errorf("%d of %d handlers were told of the end", d.over(), d.accepted())
		}
	})
	return d
}

func (d *door) accept(_ context.Context, c *stream.Conn) stream.Handler {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns = append(d.conns, c)
	return handler{d, c}
}

func (d *door) accepted() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

func (d *door) over() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

type handler struct {
	d *door
	c *stream.Conn
}

func (h handler) Handle(m *message.Message, kind message.Kind, err error) {
	answer := message.Message{Code: message.Content, Token: m.Token, Payload: []byte(h.c.Identity() + ":" + string(m.Payload))}
	switch kind {
	case message.BadRequestOption:
		answer.Code, answer.Payload = message.BadOption, []byte(err.Error())
	case message.Request:
	default:
		return
	}
	_ = h.c.Send(&answer) // its error is the end of the connection, which tests see
}

func (h handler) Ended() {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	h.d.ended++
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

// peer is the other end of a connection, which says what bytes it likes.
type peer struct {
	net.Conn
	tb testing.TB
	r  *bufio.Reader
}

// dial connects and reads the gateway's CSM.
func (d *door) dial() *peer {
	d.tb.Helper()
	p := d.dialRaw()
	if m := p.hear(); m.Code != message.CSM {
		d.tb.Fatalf("the first message is %v, want a CSM", m.Code)
	}
	return p
}

// dialRaw connects.
func (d *door) dialRaw() *peer {
	d.tb.Helper()
	conn, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		d.tb.Fatal(err)
	}
	d.tb.Cleanup(func() { conn.Close() })
	return newPeer(d.tb, conn)
}

func newPeer(tb testing.TB, conn net.Conn) *peer {
	tb.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return &peer{conn, tb, bufio.NewReader(conn)}
}

func (p *peer) say(b ...byte) {
	p.tb.Helper()
	if _, err := p.Write(b); err != nil {
		p.tb.Fatal(err)
	}
}

// finish says no more, and still listens.
func (p *peer) finish() {
	p.tb.Helper()
	if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *peer) ask(payload string) {
	p.tb.Helper()
	p.say(request(p.tb, payload)...)
}

func request(tb testing.TB, payload string) []byte {
	tb.Helper()
	m := message.Message{Code: message.POST, Token: []byte{7}, Payload: []byte(payload)}
	m.Add(message.URIPath, []byte("r"))
	b, err := m.AppendStream(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// read is the next message, or the connection's end.
func (p *peer) read() (*message.Message, error) {
	for n := 1; ; n++ {
		head, err := p.r.Peek(n)
		if err != nil {
			return nil, err
		}
		if size, ok := message.FrameSize(head); ok {
			b := make([]byte, size)
			if _, err := io.ReadFull(p.r, b); err != nil {
				return nil, err
			}
			m := new(message.Message)
			_, err := message.ParseStream(b, m)
			return m, err
		}
	}
}

func (p *peer) hear() *message.Message {
	p.tb.Helper()
	m, err := p.read()
	if err != nil {
		p.tb.Fatal(err)
	}
	return m
}

func (p *peer) want(code message.Code, payload string) {
	p.tb.Helper()
	if m := p.hear(); m.Code != code || string(m.Payload) != payload {
		p.tb.Fatalf("got %v %q, want %v %q", m.Code, m.Payload, code, payload)
	}
}

// wantEnd reads on to the end of the connection.
func (p *peer) wantEnd() {
	p.tb.Helper()
	for {
		if _, err := p.read(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				p.tb.Fatal("the connection does not end")
			}
			return
		}
	}
}
