package coap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

// fake is a server that does what a test says with each datagram.
type fake struct {
	conn *net.UDPConn
	mu   sync.Mutex
	got  [][]byte
}

// newFake serves until the test ends. react returns what is sent back for the
// n-th datagram, counted from 1.
func newFake(tb testing.TB, react func(n int, m *message.Message) [][]byte) *fake {
	tb.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	f := &fake{conn: conn}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			f.mu.Lock()
			f.got = append(f.got, bytes.Clone(buf[:n]))
			count := len(f.got)
			f.mu.Unlock()
			var m message.Message
			_, _ = message.Parse(buf[:n], &m)
			for _, b := range react(count, &m) {
				_, _ = conn.WriteToUDP(b, from)
			}
		}
	}()
	tb.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return f
}

func (f *fake) received() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

func encode(m message.Message) []byte {
	b, err := m.Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func (f *fake) dial(tb testing.TB, cfg coap.ClientConfig) *coap.Client {
	tb.Helper()
	c, err := coap.Dial(f.conn.LocalAddr().String(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

var quick = coap.ClientConfig{AckTimeout: 20 * time.Millisecond, MaxRetransmit: 4, Wait: patience}

func TestTheClientSendsACONAgain(t *testing.T) {
	f := newFake(t, func(n int, m *message.Message) [][]byte {
		if n < 3 {
			return nil
		}
		return [][]byte{encode(message.Message{Type: message.ACK, Code: message.Changed, ID: m.ID, Token: m.Token})}
	})
	r, err := f.dial(t, quick).Do(t.Context(), coap.Request{Method: message.POST, Path: coap.ReadingPath("d", "x"), Payload: []byte("1")})
	if err != nil || r.Code != message.Changed || r.Err() != nil {
		t.Fatalf("got %v: %v", r.Code, err)
	}
	got := f.received()
	if len(got) != 3 || !bytes.Equal(got[0], got[1]) || !bytes.Equal(got[1], got[2]) {
		t.Errorf("sent %x, want the same datagram three times", got)
	}
}

func TestTheClientGivesUp(t *testing.T) {
	f := newFake(t, func(int, *message.Message) [][]byte { return nil })
	cfg := coap.ClientConfig{AckTimeout: time.Millisecond, MaxRetransmit: 2, Wait: time.Second}
	_, err := f.dial(t, cfg).Do(t.Context(), coap.Request{Method: message.GET})
	if !errors.Is(err, coap.ErrTimeout) || len(f.received()) != 3 {
		t.Errorf("got %v after %d copies, want a time-out after 3", err, len(f.received()))
	}
}

func TestTheClientStopsWithItsContext(t *testing.T) {
	f := newFake(t, func(int, *message.Message) [][]byte { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	c := f.dial(t, coap.DefaultClientConfig())
	ended := make(chan error)
	go func() {
		_, err := c.Do(ctx, coap.Request{Method: message.GET})
		ended <- err
	}()
	await(t, "it has sent", func() bool { return len(f.received()) == 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestTheClientTakesASeparateResponse(t *testing.T) {
	f := newFake(t, func(n int, m *message.Message) [][]byte {
		if n > 1 {
			return nil // the ACK of the response
		}
		token := bytes.Clone(m.Token)
		return [][]byte{
			encode(message.Message{Type: message.ACK, ID: m.ID}),
			encode(message.Message{Type: message.CON, Code: message.Content, ID: 77, Token: []byte("another!")}),
			encode(message.Message{Type: message.CON, Code: message.Content, ID: 78, Token: token, Payload: []byte("late")}),
		}
	})
	r, err := f.dial(t, coap.DefaultClientConfig()).Do(t.Context(), coap.Request{Method: message.GET})
	if err != nil || string(r.Payload) != "late" {
		t.Fatalf("got %q: %v", r.Payload, err)
	}
	await(t, "the response is acknowledged", func() bool {
		for _, b := range f.received() {
			if bytes.Equal(b, []byte{0x60, 0, 0, 78}) {
				return true
			}
		}
		return false
	})
}

func TestTheClientTakesAReset(t *testing.T) {
	f := newFake(t, func(_ int, m *message.Message) [][]byte {
		return [][]byte{encode(message.Message{Type: message.RST, ID: m.ID})}
	})
	if _, err := f.dial(t, quick).Do(t.Context(), coap.Request{Method: message.GET}); !errors.Is(err, coap.ErrReset) {
		t.Errorf("got %v, want a reset", err)
	}
}

func TestTheClientSaysWhatTheServerSaid(t *testing.T) {
	s := newStore(t)
	c := dialServer(t, s.serve(t))
	r, err := c.Do(t.Context(), coap.Request{Method: message.GET, Path: []string{"nothing"}, AskTime: true})
	if err != nil {
		t.Fatal(err)
	}
	var refused *coap.ResponseError
	if !errors.As(r.Err(), &refused) || refused.Code != message.NotFound || refused.Text == "" {
		t.Errorf("got %v, want 4.04 with a text", r.Err())
	}
	if time.Since(r.Time).Abs() > time.Minute {
		t.Errorf("the server's time is %v", r.Time)
	}
}

func TestManyUseOneClient(t *testing.T) {
	s := newStore(t)
	c := dialServer(t, s.serve(t))
	const workers, each = 20, 20
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range each {
				in := coap.Request{Method: message.POST, Path: coap.ReadingPath(fmt.Sprint("d", w), "x"), Payload: []byte(fmt.Sprint(i)), Unconfirmed: i%2 == 0}
				if r, err := c.Do(t.Context(), in); err != nil || r.Err() != nil {
					t.Errorf("%v %v", r.Err(), err)
				}
			}
		})
	}
	group.Wait()
	if n := len(s.readings()); n != workers*each {
		t.Errorf("%d stored, want %d", n, workers*each)
	}
}

func TestAClosedClientSaysSo(t *testing.T) {
	s := newStore(t)
	c := dialServer(t, s.serve(t))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), coap.Request{Method: message.GET}); !errors.Is(err, coap.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func dialServer(tb testing.TB, server *coap.Server) *coap.Client {
	tb.Helper()
	c, err := coap.Dial("coap://"+server.Addr().String(), coap.ClientConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]string{
		"coap://gw-1":       "gw-1:5683",
		"coap://gw-1:7000/": "gw-1:7000",
		"127.0.0.1":         "127.0.0.1:5683",
		"127.0.0.1:7000":    "127.0.0.1:7000",
		"coap://[::1]":      "[::1]:5683",
		"[fe80::1%eth0]:7":  "[fe80::1%eth0]:7",
		"[::1]":             "[::1]:5683",
		"coaps://gw-1":      "",
		"coap://gw-1/r/x":   "",
		"gw-1:99999":        "",
		"":                  "",
	} {
		got, err := coap.ParseTarget(in)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q (%v), want %q", in, got, err, want)
		}
	}
}
