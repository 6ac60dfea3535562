package coap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/fsm"
)

// dialClient opens a client that is closed with the test.
func dialClient(tb testing.TB, server *coap.Server) *coap.Client {
	tb.Helper()
	client, err := coap.Dial(server.Addr().String(), coap.ClientConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { client.Close() })
	return client
}

func TestClientObserves(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "0")
	seen := 0
	for response, err := range dialClient(t, server).Observe(t.Context(), coap.Request{Method: message.GET, Path: coap.ReadingPath("pump-7", "temperature")}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint(seen); string(response.Payload) != want || response.MaxAge == 0 {
			t.Fatalf("got %q, want %q", response.Payload, want)
		}
		if seen++; seen > 100 {
			break
		}
		reads(t, device, uint16(seen+1), fmt.Sprint(seen))
	}
	if seen != 101 {
		t.Errorf("saw %d", seen)
	}
	await(t, "the client's end is told", func() bool { return server.Stats().Observers == 0 })
}

func TestClientObservesWhatNeedsBlocks(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	document := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%04d", i)), 1500) }
	put := func(i int) {
		t.Helper()
		cmd := &fsm.PutDocumentCommand{Device: "pump-7", Kind: fsm.Desired, Format: 42, Body: document(i)}
		if result, err := s.Propose(t.Context(), cmd); err != nil || result.Outcomes[0].Code != fsm.Stored {
			t.Fatal(result, err)
		}
	}
	put(0)
	seen := 0
	for response, err := range dialClient(t, server).Observe(t.Context(), coap.Request{Method: message.GET, Path: []string{"d", "pump-7", "desired"}}) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(response.Payload, document(seen)) || response.Format != 42 {
			t.Fatalf("document %d came as %d bytes", seen, len(response.Payload))
		}
		if seen++; seen > 10 {
			break
		}
		put(seen)
	}
}

func TestClientsObservationEnds(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	device := dialRaw(t, server.Addr().String())
	reads(t, device, 1, "0")
	get := coap.Request{Method: message.GET, Path: coap.ReadingPath("pump-7", "temperature")}

	t.Run("after an answer that cannot be observed", func(t *testing.T) {
		n := 0
		for response, err := range dialClient(t, server).Observe(t.Context(), coap.Request{Method: message.GET, Path: []string{"time"}}) {
			if n++; err != nil || !strings.Contains(string(response.Payload), ".") {
				t.Errorf("got %+v, %v", response, err)
			}
		}
		if n != 1 {
			t.Errorf("%d answers", n)
		}
	})
	t.Run("with a code where there is nothing", func(t *testing.T) {
		for response, err := range dialClient(t, server).Observe(t.Context(), coap.Request{Method: message.GET, Path: coap.ReadingPath("no", "body")}) {
			if err != nil || response.Code != message.NotFound {
				t.Errorf("got %+v, %v", response, err)
			}
		}
	})
	t.Run("with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range dialClient(t, server).Observe(ctx, get) {
			last = err
			cancel()
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("got %v", last)
		}
	})
	t.Run("with its client", func(t *testing.T) {
		client := dialClient(t, server)
		var last error
		for _, err := range client.Observe(t.Context(), get) {
			if last = err; err == nil {
				client.Close()
			}
		}
		if !errors.Is(last, coap.ErrClosed) {
			t.Errorf("got %v", last)
		}
	})
}

// gateway is a server by hand: it has one client, which has asked it something.
type gateway struct {
	tb   testing.TB
	conn *net.UDPConn
	peer netip.AddrPort
}

func (g *gateway) next() (m message.Message) {
	g.tb.Helper()
	if err := g.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		g.tb.Fatal(err)
	}
	b := make([]byte, 2048)
	n, peer, err := g.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		g.tb.Fatal(err)
	}
	g.peer = peer
	if kind, err := message.Parse(b[:n], &m); err != nil {
		g.tb.Fatalf("%x is %d: %v", b[:n], kind, err)
	}
	return m
}

func (g *gateway) send(kind message.Type, id uint16, token []byte, observe uint32, payload string) {
	g.tb.Helper()
	m := message.Message{Type: kind, Code: message.Content, ID: id, Token: token, Payload: []byte(payload)}
	m.AddUint(message.Observe, observe)
	m.AddUint(message.MaxAge, 1)
	b, err := m.Append(nil)
	if err != nil {
		g.tb.Fatal(err)
	}
	if _, err := g.conn.WriteToUDPAddrPort(b, g.peer); err != nil {
		g.tb.Fatal(err)
	}
}

// meet makes a gateway and a client of it.
func meet(tb testing.TB) (*gateway, *coap.Client) {
	tb.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	client, err := coap.Dial(conn.LocalAddr().String(), coap.ClientConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { client.Close() })
	return &gateway{tb: tb, conn: conn}, client
}

func TestClientAsksAgainWhenAllIsSilent(t *testing.T) {
	g, client := meet(t)
	client.SetAskAgain(time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var observing sync.WaitGroup
	defer observing.Wait()
	defer cancel()
	seen := make(chan string, 3)
	observing.Go(func() {
		for response, err := range client.Observe(ctx, coap.Request{Method: message.GET, Path: []string{"x"}}) {
			if err != nil {
				return // by the end of the test
			}
			seen <- string(response.Payload)
		}
	})
	var token []byte
	for i := range uint32(2) {
		asked := g.next()
		if i > 0 && !bytes.Equal(asked.Token, token) {
			t.Errorf("asked again with token %x, want %x", asked.Token, token)
		}
		token = asked.Token
		g.send(message.ACK, asked.ID, asked.Token, 10+i, fmt.Sprint(i))
		if got := <-seen; got != fmt.Sprint(i) {
			t.Errorf("the client saw %q", got)
		}
	}
}

func TestClientTakesTheNewestAndRejectsTheRest(t *testing.T) {
	g, client := meet(t)
	seen := make(chan string)
	go func() {
		defer close(seen)
		for response, err := range client.Observe(t.Context(), coap.Request{Method: message.GET, Path: []string{"x"}}) {
			if err != nil {
				return
			}
			if seen <- string(response.Payload); string(response.Payload) == "last" {
				return
			}
		}
	}()
	sees := func(want string) {
		t.Helper()
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("the client saw %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the client did not see %q", want)
		}
	}
	is := func(kind message.Type, id uint16) {
		t.Helper()
		if m := g.next(); m.Type != kind || m.ID != id {
			t.Fatalf("got %+v, want type %d of %d", m, kind, id)
		}
	}
	asked := g.next()
	g.send(message.ACK, asked.ID, asked.Token, 1<<24-2, "first")
	sees("first")
	g.send(message.CON, 1, asked.Token, 1<<24-5, "older")
	is(message.ACK, 1)
	g.send(message.CON, 2, asked.Token, 3, "newer, round the end")
	is(message.ACK, 2)
	sees("newer, round the end")
	g.send(message.NON, 3, asked.Token, 2, "older")
	g.send(message.NON, 4, asked.Token, 4, "last")
	sees("last")
	if end := g.next(); end.Type != message.NON || end.Code != message.GET || string(end.Token) != string(asked.Token) {
		t.Fatalf("got %+v, want the end", end)
	}
	await(t, "the client is done", func() bool { _, open := <-seen; return !open })
	g.send(message.CON, 5, asked.Token, 5, "nobody wants it")
	is(message.RST, 5)
	g.send(message.NON, 6, asked.Token, 6, "nobody wants it")
	is(message.RST, 6)
}
