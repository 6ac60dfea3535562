package coap_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

// The tests of this file are the cases in which a well-known CoAP server lost
// or doubled readings, or let one peer harm another.

func TestARestartedDeviceIsHeard(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	// The device restarts its message ids: the same id, another token and value.
	peer.exchange(post(t, 8, "aa", "1")).want(t, message.Changed, "aa")
	peer.exchange(post(t, 8, "bb", "2")).want(t, message.Changed, "bb")
	peer.exchange(post(t, 8, "aa", "3")).want(t, message.Changed, "aa")
	if got := values(s); got != "1 2 3" {
		t.Errorf("stored %q, want all three", got)
	}
}

func TestADuplicateIsStoredOnce(t *testing.T) {
	s := newStore(t)
	first, stop := s.serveUntil(t)
	addr := first.Addr().String()
	peer := dialRaw(t, addr)
	datagram := post(t, 8, "aa", "1")
	peer.exchange(datagram).want(t, message.Changed, "aa")
	peer.exchange(datagram).want(t, message.Changed, "aa")
	// Another process on the same address has nothing but the site to know it by.
	stop()
	second := s.serve(t, func(c *coap.Config) { c.Addr = addr })
	for _, skip := range []time.Duration{21 * time.Second, 200 * time.Second} {
		s.set(func(s *store) { s.skipped += skip })
		peer.exchange(datagram).want(t, message.Changed, "aa")
	}
	if got := values(s); got != "1" {
		t.Errorf("stored %q, want one reading", got)
	}
	if n := second.Stats().Duplicates; n != 2 {
		t.Errorf("%d duplicates counted, want 2", n)
	}
}

func TestAMalformedDatagramHarmsNobody(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	peer := dialRaw(t, server.Addr().String())
	datagram := post(t, 8, "aa", "1")
	gate := make(chan struct{})
	s.set(func(s *store) { s.gate = gate })
	peer.send(datagram)
	await(t, "the post is on its way", func() bool { return server.Stats().Flights == 1 })
	peer.send(unhex(t, "49 02 00 08")) // from the same endpoint, with the same message id
	if got := peer.receive(); !bytes.Equal(got, unhex(t, "70 00 00 08")) {
		t.Fatalf("got %x, want a reset", got)
	}
	peer.send(datagram) // is still known
	close(gate)
	peer.answer().want(t, message.Changed, "aa")
	if got := values(s); got != "1" {
		t.Errorf("stored %q, want one reading", got)
	}
	if n := server.Stats().Malformed; n != 1 {
		t.Errorf("%d malformed counted, want 1", n)
	}
}

func TestAFloodDelaysNobodyElse(t *testing.T) {
	s := newStore(t)
	gate := make(chan struct{})
	defer close(gate)
	s.set(func(s *store) { s.gate, s.gated = gate, "flood" })
	const limit, sent = 8, 200
	server := s.serve(t, func(c *coap.Config) { c.Limits.PeerFlights = limit })
	flood, polite := dialRaw(t, server.Addr().String()), dialRaw(t, server.Addr().String())
	for i := range sent {
		flood.send(request(t, uint16(i), fmt.Sprint(i), coap.Request{
			Method: message.POST, Unconfirmed: true, Path: coap.ReadingPath("flood", "x"), Payload: []byte("1"),
		}))
	}
	for range sent - limit {
		if a := flood.answer(); a.code != message.TooManyRequests || a.maxAge == 0 {
			t.Fatalf("the flood gets %v with Max-Age %d, want 4.29", a.code, a.maxAge)
		}
	}
	// None of the flood is answered by the site yet.
	start := time.Now()
	polite.exchange(post(t, 1, "p", "1")).want(t, message.Changed, "p")
	polite.exchange(request(t, 2, "g", coap.Request{Method: message.GET, Path: coap.ReadingPath("pump-7", "temperature")})).want(t, message.Content, "g")
	if took := time.Since(start); took > time.Second {
		t.Errorf("a polite peer waited %v", took)
	}
	if n := server.Stats().Refused["peer-in-flight"]; n != sent-limit {
		t.Errorf("%d refusals counted, want %d", n, sent-limit)
	}
}

func TestANONIsAnsweredByANON(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	non := request(t, 8, "aa", coap.Request{
		Method: message.POST, Unconfirmed: true, Path: coap.ReadingPath("pump-7", "temperature"), Payload: []byte("1"),
	})
	a := peer.exchange(non)
	a.want(t, message.Changed, "aa")
	if a.kind != message.NON {
		t.Errorf("answered by type %d, want NON", a.kind)
	}
	b := peer.exchange(post(t, 9, "bb", "2"))
	if b.kind != message.ACK || b.id != 9 {
		t.Errorf("a CON is answered by type %d with id %d, want ACK with id 9", b.kind, b.id)
	}
}

// TestRejection sends each datagram to a running server. The path of all is
// /r/d/x, so that what is not rejected would be stored.
func TestRejection(t *testing.T) {
	const (
		path  = "b1 72 01 64 01 78"
		reset = "70 00 00 08"
	)
	s := newStore(t)
	server := s.serve(t)
	for _, c := range []struct {
		name string
		in   string
		want string // the reply in hex, "" for silence, or 4.02
	}{
		{"an unknown critical option gets 4.02", "41 02 00 08 aa " + path + " d1 29 00 ff 31", "4.02"},
		{"an unknown critical option in a NON gets nothing", "51 02 00 08 aa " + path + " d1 29 00 ff 31", ""},
		{"OSCORE gets 4.02", "41 02 00 08 aa 90 21 72 01 64 01 78 ff 31", "4.02"},
		{"Uri-Port of three bytes gets 4.02", "41 02 00 08 aa 73 01 02 03 41 72 01 64 01 78 ff 31", "4.02"},
		{"a code of class 1 is reset", "40 25 00 08 " + path + " ff 31", reset},
		{"a code of class 7 is reset", "40 e2 00 08 " + path + " ff 31", reset},
		{"an empty CON with a token is reset", "41 00 00 08 aa", reset},
		{"an empty CON with a payload is reset", "40 00 00 08 ff 31", reset},
		{"a marker without payload is reset", "40 02 00 08 " + path + " ff", reset},
		{"token length 9 is reset", "49 02 00 08 010203040506070809 " + path + " ff 31", reset},
		{"token length 15 is reset", "4f 02 00 08 " + path + " ff 31", reset},
		{"a truncated option is reset", "40 02 00 08 " + path + " b5 72", reset},
		{"the reserved option delta is reset", "40 02 00 08 " + path + " f1 72", reset},
		{"a ping is reset", "40 00 00 08", reset},
		{"a response nobody asked for is reset", "40 45 00 08 ff 31", reset},
		{"a NON response is dropped", "50 45 00 08 ff 31", ""},
		{"an empty NON is dropped", "50 00 00 08", ""},
		{"a malformed NON is dropped", "50 02 00 08 " + path + " ff", ""},
		{"a malformed ACK is dropped", "60 44 00 08 b5 72", ""},
		{"a malformed RST is dropped", "70 00 00 08 b5 72", ""},
		{"an ACK of nothing is dropped", "60 00 00 08", ""},
		{"an RST of nothing is dropped", "70 00 00 08", ""},
		{"a request in an ACK is dropped", "60 02 00 08 " + path + " ff 31", ""},
		{"version 0 is dropped", "00 02 00 08 " + path + " ff 31", ""},
		{"version 2 is dropped", "80 02 00 08 " + path + " ff 31", ""},
		{"three bytes are dropped", "40 02 00", ""},
		{"one byte is dropped", "40", ""},
		{"bytes that brought down libcoap are dropped", "5006da6e432e", ""},
		{"64 KiB of nothing are dropped", strings.Repeat("00", 65507), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := dialRaw(t, server.Addr().String())
			peer.send(unhex(t, c.in))
			switch c.want {
			case "":
				peer.silent()
			case "4.02":
				a := peer.answer()
				a.want(t, message.BadOption, "\xaa")
				if a.kind != message.ACK || a.id != 8 || !strings.Contains(a.payload, "option") {
					t.Errorf("got type %d, id %d, %q: want an ACK that names the option", a.kind, a.id, a.payload)
				}
			default:
				if got := peer.receive(); !bytes.Equal(got, unhex(t, c.want)) {
					t.Errorf("got %x, want %s", got, c.want)
				}
			}
		})
	}
	if got := values(s); got != "" {
		t.Errorf("stored %q, want nothing", got)
	}
}

func TestElectiveOptionsArePassedOver(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	// Observe, Content-Format of three bytes, and option 66 are all elective.
	peer.exchange(unhex(t, "41 02 00 08 aa 60 51 72 01 64 01 78 13 00 00 00 d1 29 00 ff 31")).want(t, message.Changed, "\xaa")
	if got := values(s); got != "1" {
		t.Errorf("stored %q, want 1", got)
	}
}

func TestAProxyRequestIsRefused(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	peer.exchange(unhex(t, "41 01 00 08 aa d4 16 636f6170")).want(t, message.ProxyingNotSupported, "\xaa")
}

// values are the values stored, in order.
func values(s *store) string {
	var list []string
	for _, r := range s.readings() {
		list = append(list, r.Value.String())
	}
	return strings.Join(list, " ")
}
