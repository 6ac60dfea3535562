package coap_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

// endpoint is a CoAP server of a device, which serves its links and nothing else.
type endpoint struct {
	*net.UDPConn
	links  string
	format []byte
	asked  int
}

// registerSimply has an endpoint register by a request alone, and returns the
// directory's answer.
func (e *endpoint) registerSimply(t *testing.T, at *net.UDPAddr, query string) *message.Message {
	t.Helper()
	in := ask{id: 7, method: message.POST, path: ".well-known/rd", query: query}
	if _, err := e.WriteToUDP(in.encode(t), at); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2048)
	for {
		if err := e.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, from, err := e.ReadFromUDP(b)
		if err != nil {
			t.Fatal(err)
		}
		m := new(message.Message)
		kind, err := message.Parse(bytes.Clone(b[:n]), m)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case message.Response:
			return m
		case message.Reset: // a ping
			e.answer(t, from, message.Message{Type: message.RST, ID: m.ID})
		case message.Request:
			e.asked++
			links := message.Message{Type: message.ACK, Code: message.Content, ID: m.ID, Token: m.Token, Payload: []byte(e.links)}
			links.Add(message.ContentFormat, e.format)
			e.answer(t, from, links)
		}
	}
}

func (e *endpoint) answer(t *testing.T, to *net.UDPAddr, m message.Message) {
	t.Helper()
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.WriteToUDP(b, to); err != nil {
		t.Fatal(err)
	}
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &endpoint{UDPConn: conn, links: `</sen/temp>;rt="temperature"`, format: []byte{40}}
}

func TestAnEndpointRegistersByARequestAlone(t *testing.T) {
	s := newStore(t)
	server := s.serve(t)
	e := newEndpoint(t)
	if m := e.registerSimply(t, server.Addr(), "ep=node1&lt=6000"); m.Code != message.Changed {
		t.Fatalf("got %v %q, want 2.04", m.Code, m.Payload)
	}
	peer := dialRaw(t, server.Addr().String())
	peer.prove()
	if got, want := peer.look(1, "res", "ep=node1"), "<coap://"+e.LocalAddr().String()+`/sen/temp>;rt="temperature"`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if m := e.registerSimply(t, server.Addr(), "ep=node1&lt=6000"); m.Code != message.Changed || e.asked != 1 {
		t.Errorf("the same message once more is answered %v after %d reads of the links, want 2.04 after the one", m.Code, e.asked)
	}
}

func TestWhatIsWrongWithASimpleRegistrationIsSaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		query  string
		change func(*endpoint)
		says   string
	}{
		{"no endpoint name", "lt=60", func(*endpoint) {}, "ep is missing"},
		{"a base", "ep=a&base=coap://h", func(*endpoint) {}, "base is not taken"},
		{"links that are none", "ep=a", func(e *endpoint) { e.links = "</a" }, "byte 1"},
		{"links in another format", "ep=a", func(e *endpoint) { e.format = []byte{50} }, "content format 50"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			e := newEndpoint(t)
			c.change(e)
			m := e.registerSimply(t, s.serve(t).Addr(), c.query)
			if m.Code != message.BadRequest || !strings.Contains(string(m.Payload), c.says) {
				t.Errorf("got %v %q, want 4.00 with %q", m.Code, m.Payload, c.says)
			}
			if r := s.Registrations(); len(r) != 0 {
				t.Errorf("registered are %+v", r)
			}
		})
	}
}

func TestADeviceInASessionRegistersItselfOnly(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	server := s.serve(t, everyDoor(t))
	device := enter(t, server, "pump-7")
	rd := func(method message.Code, path []string, query ...string) coap.Request {
		return coap.Request{Method: method, Path: path, Query: query}
	}
	if m := device.ask(rd(message.POST, []string{"rd"})); m.Code != message.Created {
		t.Fatalf("without ep: %v %q, want 2.01", m.Code, m.Payload)
	}
	own := s.Registrations()[0]
	if want := fmt.Sprintf("coaps://127.0.0.1:%d", device.conn.LocalAddr().(*net.UDPAddr).Port); own.Endpoint != "pump-7" || own.Base != want {
		t.Errorf("registered is %s at %s, want pump-7 at %s", own.Endpoint, own.Base, want)
	}
	peer := dialRaw(t, server.Addr().String())
	other := peer.ask(register(1, "ep=pump-8", "")).want(t, message.Created).location()
	others := strings.Split(other[1:], "/")
	for name, r := range map[string]coap.Request{
		"to renew another's":  rd(message.POST, others),
		"to remove another's": rd(message.DELETE, others),
		"to register another": rd(message.POST, []string{"rd"}, "ep=pump-8"),
	} {
		if m := device.ask(r); m.Code != message.Forbidden {
			t.Errorf("%s: %v %q, want 4.03", name, m.Code, m.Payload)
		}
	}
	if m := device.ask(rd(message.POST, []string{"rd", own.ID})); m.Code != message.Changed {
		t.Errorf("to renew its own: %v %q, want 2.04", m.Code, m.Payload)
	}
	if m := device.ask(rd(message.DELETE, []string{"rd", own.ID})); m.Code != message.Deleted {
		t.Errorf("to remove its own: %v %q, want 2.02", m.Code, m.Payload)
	}
}
