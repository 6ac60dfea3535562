package stream_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"

	"skerry/coap/message"
	"skerry/coap/stream"
	"skerry/internal/testca"
)

// secured opens a door for TLS.
func secured(tb testing.TB, ca *testca.Authority, change func(*stream.Config)) *door {
	tb.Helper()
	gateway := ca.Gateway()
	return open(tb, func(c *stream.Config) {
		c.Certificate, c.ClientCAs = &gateway, ca.Pool()
		if change != nil {
			change(c)
		}
	})
}

func TestGoCoAPGetsIn(t *testing.T) {
	ours := testca.New(t)
	for _, c := range []struct {
		name string
		door *door
		more []tcp.Option
		want string
	}{
		{"over TCP", open(t, nil), nil, ":21.6"},
		{"over TLS", secured(t, ours, nil), []tcp.Option{options.WithTLS(&tls.Config{
			RootCAs: ours.Pool(), Certificates: []tls.Certificate{ours.Device("pump-7")},
		})}, "pump-7:21.6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tcp.Dial(c.door.Addr().String(), c.more...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for range 10 {
				answer, err := conn.Post(ctx, "/r/pump-7/temperature", codec.TextPlain, strings.NewReader("21.6"))
				if err != nil {
					t.Fatal(err)
				}
				if body, err := answer.ReadBody(); err != nil || string(body) != c.want {
					t.Errorf("got %q, want %q: %v", body, c.want, err)
				}
			}
			if err := conn.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOverTLSADeviceShowsItsCertificate(t *testing.T) {
	ours, theirs := testca.New(t), testca.New(t)
	d := secured(t, ours, func(c *stream.Config) { c.Admit = func(name string) bool { return name != "stray" } })
	for _, c := range []struct {
		name  string
		certs []tls.Certificate
	}{
		{"none", nil},
		{"one of another site", []tls.Certificate{theirs.Device("pump-7")}},
		{"one of a device that is not let in", []tls.Certificate{ours.Device("stray")}},
		{"one without a name", []tls.Certificate{ours.Device("")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", d.Addr().String(), &tls.Config{RootCAs: ours.Pool(), Certificates: c.certs})
			if err != nil {
				return // TLS 1.2 says so at once
			}
			defer conn.Close()
			newPeer(t, conn).wantEnd()
		})
	}
	if n := d.accepted(); n != 0 {
		t.Errorf("%d handlers for peers that nobody knows", n)
	}
}

func TestAHandshakeThatIsStuckHoldsUpNobody(t *testing.T) {
	ours := testca.New(t)
	d := secured(t, ours, func(c *stream.Config) { c.Limits.Handshake = 500 * time.Millisecond })
	stuck, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	conn, err := tls.Dial("tcp", d.Addr().String(), &tls.Config{RootCAs: ours.Pool(), Certificates: []tls.Certificate{ours.Device("pump-7")}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := newPeer(t, conn)
	if m := p.hear(); m.Code != message.CSM {
		t.Fatalf("got %v, want a CSM", m.Code)
	}
	p.ask("in")
	p.want(message.Content, "pump-7:in")
	if err := stuck.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stuck); err != nil {
		t.Errorf("the one that is stuck is not closed: %v", err)
	}
}
