package coap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

// badPath is one way to a server and back that loses a fifth of the datagrams,
// sends a tenth twice, and lets a tenth be overtaken by the next.
type badPath struct {
	client, server *net.UDPConn
}

func newBadPath(tb testing.TB, to *net.UDPAddr, seed uint64) *badPath {
	tb.Helper()
	server, err := net.DialUDP("udp", nil, to)
	if err != nil {
		tb.Fatal(err)
	}
	client, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	p := &badPath{client, server}
	ended := make(chan struct{}, 2)
	device := make(chan *net.UDPAddr, 1)
	go func() {
		defer func() { ended <- struct{}{} }()
		var from *net.UDPAddr
		carry(rand.New(rand.NewPCG(seed, 1)), func(b []byte) (int, error) {
			n, at, err := client.ReadFromUDP(b)
			if from == nil && err == nil {
				from = at
				device <- at
			}
			return n, err
		}, func(b []byte) { _, _ = server.Write(b) })
	}()
	go func() {
		defer func() { ended <- struct{}{} }()
		var at *net.UDPAddr
		carry(rand.New(rand.NewPCG(seed, 2)), server.Read, func(b []byte) {
			if at == nil {
				at = <-device // it has sent before it is answered
			}
			_, _ = client.WriteToUDP(b, at)
		})
	}()
	tb.Cleanup(func() {
		client.Close()
		server.Close()
		<-ended
		<-ended
	})
	return p
}

// carry brings datagrams to where they shall go, or not, until there are none.
func carry(chance *rand.Rand, receive func([]byte) (int, error), send func([]byte)) {
	b := make([]byte, 64<<10)
	var late []byte
	for {
		n, err := receive(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		switch luck := chance.IntN(10); {
		case luck < 2:
		case luck == 2:
			send(b[:n])
			send(b[:n])
		case luck == 3 && late == nil:
			late = bytes.Clone(b[:n])
			continue
		default:
			send(b[:n])
		}
		if late != nil {
			send(late)
			late = nil
		}
	}
}

// TestBodiesInBlocksOverABadPath stores bodies that have nothing but their
// datagrams to be known by: each once, whatever is lost on the way.
func TestBodiesInBlocksOverABadPath(t *testing.T) {
	const bodies = 8
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := newStore(t)
	server := s.serve(t)
	path := newBadPath(t, server.Addr(), seed)
	client, err := coap.Dial(path.client.LocalAddr().String(), coap.ClientConfig{AckTimeout: 10 * time.Millisecond, MaxRetransmit: 9, Wait: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()
	for i := range bodies {
		body := append(fmt.Appendf(nil, "body %d ", i), noise(4_000)...)
		put := coap.Request{Method: message.PUT, Path: coap.ReadingPath("cam", "blob"), Payload: body, Format: 42, Typed: true, BlockSize: 512}
		response, err := client.Do(ctx, put)
		if err != nil || response.Code != message.Changed {
			t.Fatalf("body %d: %v %q, %v", i, response.Code, response.Payload, err)
		}
		if n := len(s.readings()); n != i+1 || !bytes.Equal(blob(t, s), body) {
			t.Fatalf("body %d: %d are stored, want %d, the last one whole", i, n, i+1)
		}
		got, err := client.Do(ctx, coap.Request{Method: message.GET, Path: put.Path, BlockSize: 512})
		if err != nil || !bytes.Equal(got.Payload, body) {
			t.Fatalf("body %d: %v, %d bytes are read, want %d: %v", i, got.Code, len(got.Payload), len(body), err)
		}
	}
}
