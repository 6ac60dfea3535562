package coap_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"skerry/coap"
	"skerry/coap/message"
)

func TestAPeerBeyondItsRate(t *testing.T) {
	s := newStore(t)
	const burst = 10
	server := s.serve(t, func(c *coap.Config) { c.Limits.PeerRate, c.Limits.PeerBurst = 1e-3, burst })
	peer, polite := dialRaw(t, server.Addr().String()), dialRaw(t, server.Addr().String())
	get := func(p *raw, i int) answer {
		return p.exchange(request(t, uint16(i), fmt.Sprint(i), coap.Request{Method: message.GET, Path: []string{"time"}}))
	}
	for i := range burst {
		get(peer, i).want(t, message.Content, fmt.Sprint(i))
	}
	for i := burst; i < 2*burst-1; i++ {
		a := get(peer, i)
		a.want(t, message.TooManyRequests, fmt.Sprint(i))
		if a.maxAge == 0 {
			t.Error("4.29 without Max-Age")
		}
	}
	for i := range 5 { // beyond another burst: no answer, but perhaps for the first
		peer.send(request(t, uint16(100+i), "z", coap.Request{Method: message.GET, Path: []string{"time"}}))
	}
	await(t, "the flood is counted", func() bool { return server.Stats().Refused["peer-flood"] >= 4 })
	get(polite, 1).want(t, message.Content, "1")
	if n := server.Stats().Refused["peer-rate"]; n < burst-1 || n > burst {
		t.Errorf("%d refusals of peer-rate, want about %d", n, burst-1)
	}
}

func TestThePeerTableIsBounded(t *testing.T) {
	s := newStore(t)
	const bound = 16
	server := s.serve(t, func(c *coap.Config) { c.Limits.Peers = bound })
	for i := range 4 * bound {
		peer := dialRaw(t, server.Addr().String())
		peer.exchange(post(t, uint16(i), "aa", "1")).want(t, message.Changed, "aa")
		peer.conn.Close()
	}
	if n := server.Stats().Peers; n > bound {
		t.Errorf("%d peers remembered, want %d at most", n, bound)
	}
}

func TestListenSaysThatAPortIsTaken(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	cfg := coap.DefaultConfig()
	cfg.Addr, cfg.Store, cfg.View = server.Addr().String(), s, s.view
	_, err := coap.Listen(cfg)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "taken by another program") {
		t.Errorf("got %v, want that the port is taken", err)
	}
}

func TestListenQuotesTheRule(t *testing.T) {
	s := newStore(t)
	for _, c := range []struct {
		edit func(*coap.Config)
		want string
	}{
		{func(c *coap.Config) { c.Store = nil }, "required"},
		{func(c *coap.Config) { c.Limits.PeerRate = 0 }, "PeerRate"},
		{func(c *coap.Config) { c.Limits.Flights = 0 }, "Flights"},
		{func(c *coap.Config) { c.Limits.QueueWait = 0 }, "QueueWait"},
		{func(c *coap.Config) { c.Addr = "nowhere:port" }, "nowhere:port"},
	} {
		cfg := coap.DefaultConfig()
		cfg.Addr, cfg.Store, cfg.View = "127.0.0.1:0", s, s.view
		c.edit(&cfg)
		if _, err := coap.Listen(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestAnswersLeaveFromTheAddressThatWasAsked dials addresses of one server that
// is bound to all: a connected socket takes no answer from another.
func TestAnswersLeaveFromTheAddressThatWasAsked(t *testing.T) {
	for _, c := range []struct{ name, listen string }{
		{"on all addresses", ":0"},
		{"on all IPv4 addresses", "0.0.0.0:0"},
		{"on one address", "127.0.0.2:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			server := s.serve(t, func(cfg *coap.Config) { cfg.Addr = c.listen })
			asked := []string{"127.0.0.2"}
			if server.Addr().IP.IsUnspecified() {
				asked = append(asked, "127.0.0.1", "127.0.0.3")
			}
			if server.Addr().IP.To4() == nil && canDial("[::1]:9") {
				asked = append(asked, "::1")
			}
			for i, host := range asked {
				peer := dialRaw(t, net.JoinHostPort(host, fmt.Sprint(server.Addr().Port)))
				token := fmt.Sprint(i)
				peer.exchange(post(t, 1, token, "1")).want(t, message.Changed, token)
				peer.exchange(request(t, 2, token, coap.Request{Method: message.GET, Path: []string{"time"}})).want(t, message.Content, token)
				peer.silent()
			}
		})
	}
}

func canDial(addr string) bool {
	conn, err := net.Dial("udp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
