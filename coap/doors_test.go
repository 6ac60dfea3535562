package coap_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"
	"github.com/plgd-dev/go-coap/v3/tcp/client"

	"skerry/coap"
	"skerry/coap/message"
	"skerry/coap/secure"
	"skerry/fsm"
	"skerry/internal/testca"
)

// register enters a device with a key that is its own name's.
func (s *store) register(tb testing.TB, device string, writes ...string) {
	tb.Helper()
	s.change(tb, fsm.PutDeviceCommand{Name: device, Writes: writes, Create: true})
	s.change(tb, fsm.AddKeyCommand{Device: device, Identity: device, Secret: []byte("secret of " + device)})
}

// change applies a command that must be stored.
func (s *store) change(tb testing.TB, cmd fsm.Command) {
	tb.Helper()
	result, err := s.apply(cmd)
	if err != nil {
		tb.Fatal(err)
	}
	if code := result.Outcomes[0].Code; code != fsm.Stored {
		tb.Fatalf("%T: %v", cmd, code)
	}
}

// everyDoor has a server listen at all doors, on this machine.
func everyDoor(tb testing.TB) func(*coap.Config) {
	tb.Helper()
	a := testca.New(tb)
	gateway := a.Gateway()
	return func(c *coap.Config) {
		c.Doors = coap.Doors{
			DTLS: "127.0.0.1:0", TCP: "127.0.0.1:0", TLS: "127.0.0.1:0",
			Certificate: &gateway, ClientCAs: a.Pool(),
		}
	}
}

// secured is a device in a DTLS session.
type secured struct {
	tb   testing.TB
	conn *dtls.Conn
	id   uint16
}

// enter comes in with the key of an identity.
func enter(tb testing.TB, server *coap.Server, identity string) *secured {
	tb.Helper()
	s, err := tryEnter(tb, server, identity, "secret of "+identity)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func tryEnter(tb testing.TB, server *coap.Server, identity, key string) (*secured, error) {
	tb.Helper()
	at, _, _ := server.DoorAddrs()
	conn, err := dtls.DialWithOptions("udp", at.(*net.UDPAddr),
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(key), nil }),
		dtls.WithPSKIdentityHint([]byte(identity)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8),
		dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()),
	)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	tb.Cleanup(func() { conn.Close() })
	return &secured{tb: tb, conn: conn}, nil
}

// ask sends a request and returns its answer.
func (s *secured) ask(r coap.Request) *message.Message {
	s.tb.Helper()
	m, err := s.try(r)
	if err != nil {
		s.tb.Fatal(err)
	}
	return m
}

// try is ask in a session that may have ended.
func (s *secured) try(r coap.Request) (*message.Message, error) {
	s.tb.Helper()
	s.id++
	if _, err := s.conn.Write(request(s.tb, s.id, "tkn", r)); err != nil {
		return nil, err
	}
	return s.read(patience)
}

func (s *secured) send(b []byte) {
	s.tb.Helper()
	if _, err := s.conn.Write(b); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *secured) hear() *message.Message {
	s.tb.Helper()
	m, err := s.read(patience)
	if err != nil {
		s.tb.Fatal(err)
	}
	return m
}

func (s *secured) read(within time.Duration) (*message.Message, error) {
	s.tb.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		s.tb.Fatal(err)
	}
	b := make([]byte, 8<<10)
	n, err := s.conn.Read(b)
	if err != nil {
		return nil, err
	}
	m := new(message.Message)
	_, err = message.Parse(b[:n], m)
	return m, err
}

func putReading(device, resource, value string) coap.Request {
	return coap.Request{Method: message.POST, Path: coap.ReadingPath(device, resource), Payload: []byte(value)}
}

func TestASessionIsServedAsPlainCoAPIs(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	server := s.serve(t, everyDoor(t))
	d := enter(t, server, "pump-7")
	if m := d.ask(putReading("pump-7", "temperature", "21.6")); m.Code != message.Changed || m.Type != message.ACK {
		t.Fatalf("got %v in type %d, want 2.04 in an ACK", m.Code, m.Type)
	}
	m := d.ask(coap.Request{Method: message.GET, Path: coap.ReadingPath("pump-7", "temperature")})
	if m.Code != message.Content || !bytes.Contains(m.Payload, []byte("21.6")) {
		t.Errorf("got %v %q, want the reading", m.Code, m.Payload)
	}
	if st := server.Stats(); st.Sessions != 1 {
		t.Errorf("%d sessions, want 1", st.Sessions)
	}
}

func TestADeviceWritesUnderItsOwnNameOnly(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7", "tank-*")
	d := enter(t, s.serve(t, everyDoor(t)), "pump-7")
	for _, c := range []struct {
		name string
		in   coap.Request
		want message.Code
	}{
		{"its own reading", putReading("pump-7", "temperature", "1"), message.Changed},
		{"one that the operator allows", putReading("tank-1", "level", "1"), message.Changed},
		{"another device's", putReading("pump-8", "temperature", "1"), message.Forbidden},
		{"a pack with another device in it", coap.Request{
			Method: message.POST, Path: []string{"r"}, Typed: true, Format: 110,
			Payload: []byte(`[{"n":"pump-7/a","v":1},{"n":"pump-8/a","v":2}]`),
		}, message.Forbidden},
		{"its own document", coap.Request{Method: message.PUT, Path: []string{"d", "pump-7", "reported"}, Payload: []byte("{}")}, message.Created},
		{"another device's document", coap.Request{Method: message.PUT, Path: []string{"d", "pump-8", "reported"}, Payload: []byte("{}")}, message.Forbidden},
		{"its own registration", coap.Request{Method: message.POST, Path: []string{"rd"}, Query: []string{"ep=pump-7"}, Typed: true, Format: 40, Payload: []byte("</a>")}, message.Created},
		{"another device's registration", coap.Request{Method: message.POST, Path: []string{"rd"}, Query: []string{"ep=pump-8"}, Typed: true, Format: 40, Payload: []byte("</a>")}, message.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := d.ask(c.in)
			if m.Code != c.want {
				t.Errorf("got %v %q, want %v", m.Code, m.Payload, c.want)
			}
			if m.Code == message.Forbidden && !bytes.Contains(m.Payload, []byte("pump-7 may not write as pump-8")) {
				t.Errorf("the text %q does not say who and what", m.Payload)
			}
		})
	}
}

func TestARevokedDeviceIsOutAtOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		revoke []fsm.Command
		stays  bool
	}{
		{"its key is revoked", []fsm.Command{fsm.RevokeKeyCommand{Device: "pump-7", Identity: "pump-7"}}, false},
		{"all its keys are", []fsm.Command{fsm.RevokeKeyCommand{Device: "pump-7"}}, false},
		{"it is removed", []fsm.Command{fsm.RemoveDeviceCommand{Name: "pump-7"}}, false},
		{"its identity has another key now", []fsm.Command{
			fsm.RevokeKeyCommand{Device: "pump-7"},
			fsm.AddKeyCommand{Device: "pump-7", Identity: "pump-7", Secret: []byte("another")},
		}, false},
		{"its identity is another device's now", []fsm.Command{
			fsm.RevokeKeyCommand{Device: "pump-7"},
			fsm.PutDeviceCommand{Name: "pump-8", Create: true},
			fsm.AddKeyCommand{Device: "pump-8", Identity: "pump-7", Secret: []byte("secret of pump-7")},
		}, false},
		{"but not for another's key", []fsm.Command{fsm.RevokeKeyCommand{Device: "tank-1"}}, true},
		{"nor while a key it is to leave overlaps", []fsm.Command{
			fsm.AddKeyCommand{Device: "pump-7", Identity: "pump-7.2", Secret: []byte("another"), Overlap: time.Hour.Microseconds()},
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(t)
			s.register(t, "pump-7")
			s.register(t, "tank-1")
			server := s.serve(t, everyDoor(t))
			d, silent := enter(t, server, "pump-7"), enter(t, server, "pump-7")
			d.ask(putReading("pump-7", "temperature", "1"))
			for _, cmd := range c.revoke {
				s.change(t, cmd)
			}
			m := d.ask(putReading("pump-7", "temperature", "2"))
			if c.stays {
				if m.Code != message.Changed {
					t.Errorf("got %v %q, want 2.04", m.Code, m.Payload)
				}
				return
			}
			if m.Code != message.Unauthorized || !strings.Contains(string(m.Payload), "ask the operator") {
				t.Errorf("got %v %q, want 4.01 and what to do", m.Code, m.Payload)
			}
			if m, err := d.read(patience); err == nil {
				t.Errorf("the session goes on: %v", m.Code)
			}
			if m, err := silent.read(patience); err == nil {
				t.Errorf("the silent session got %v", m.Code)
			}
			if n := len(s.readings()); n != 1 {
				t.Errorf("%d readings, want the first alone", n)
			}
			if _, _, known := s.Identity("pump-7"); known {
				return // to another key
			}
			if _, err := tryEnter(t, server, "pump-7", "secret of pump-7"); err == nil {
				t.Error("in again with the key that was revoked")
			}
		})
	}
}

func TestARevokedObserverHearsNothingMore(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	d := enter(t, s.serve(t, everyDoor(t)), "pump-7")
	d.ask(putReading("pump-7", "temperature", "1"))
	d.id++
	m := message.Message{Type: message.CON, Code: message.GET, ID: d.id, Token: []byte("obs")}
	m.AddUint(message.Observe, 0)
	for _, segment := range coap.ReadingPath("pump-7", "temperature") {
		m.Add(message.URIPath, []byte(segment))
	}
	b, err := m.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	d.send(b)
	if first := d.hear(); first.Code != message.Content {
		t.Fatalf("got %v, want 2.05", first.Code)
	}
	s.change(t, fsm.RevokeKeyCommand{Device: "pump-7"})
	s.append(t, "pump-7", "temperature", 2)
	if m, err := d.read(patience); err == nil {
		t.Errorf("got %v %q after the key was revoked", m.Code, m.Payload)
	}
}

// append stores a reading as another door would.
func (s *store) append(tb testing.TB, device, resource string, value float64) {
	tb.Helper()
	var k fsm.Key
	if _, err := rand.Read(k[:]); err != nil {
		tb.Fatal(err)
	}
	s.change(tb, &fsm.Batch{Items: []fsm.Item{{Key: k, Records: []fsm.Record{
		{Device: device, Resource: resource, Relative: true, Value: fsm.NumberValue(value)},
	}}}})
}

func TestTheSameDatagramIsOneReadingPerSession(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	server := s.serve(t, everyDoor(t))
	same := request(t, 7, "tkn", putReading("pump-7", "temperature", "21.6"))
	for range 2 {
		d := enter(t, server, "pump-7")
		for range 3 {
			d.send(same)
			if m := d.hear(); m.Code != message.Changed {
				t.Fatalf("got %v %q", m.Code, m.Payload)
			}
		}
	}
	if n := len(s.readings()); n != 2 {
		t.Errorf("%d readings of two sessions, want 2", n)
	}
}

func TestAStreamIsServedAsPlainCoAPIs(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	a := testca.New(t)
	gateway := a.Gateway()
	server := s.serve(t, func(c *coap.Config) {
		c.Addr = "" // no plain CoAP over UDP
		c.Doors = coap.Doors{TCP: "127.0.0.1:0", TLS: "127.0.0.1:0", Certificate: &gateway, ClientCAs: a.Pool()}
	})
	_, plain, overTLS := server.DoorAddrs()
	for _, c := range []struct {
		name   string
		at     net.Addr
		more   []tcp.Option
		others codes.Code // what a reading of another device gets
	}{
		{"over TCP, where nobody proved anything", plain, nil, codes.Changed},
		{"over TLS", overTLS, []tcp.Option{options.WithTLS(&tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{a.Device("pump-7")}})}, codes.Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tcp.Dial(c.at.String(), c.more...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			before := len(s.readings())
			for _, want := range []string{"1", "1", "2"} { // the same again is another reading
				if code, _ := postOver(t, conn, "/r/pump-7/temperature", want); code != codes.Changed {
					t.Fatalf("got %v, want 2.04", code)
				}
			}
			if n := len(s.readings()) - before; n != 3 {
				t.Errorf("%d readings, want 3", n)
			}
			if code, text := postOver(t, conn, "/r/pump-8/temperature", "1"); code != c.others {
				t.Errorf("got %v %q, want %v", code, text, c.others)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			answer, err := conn.Get(ctx, "/r/pump-7/temperature")
			if err != nil {
				t.Fatal(err)
			}
			if body, err := answer.ReadBody(); err != nil || !bytes.Contains(body, []byte("2")) {
				t.Errorf("got %v %q: %v", answer.Code(), body, err)
			}
		})
	}
}

func postOver(t *testing.T, conn *client.Conn, path, value string) (codes.Code, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := conn.Post(ctx, path, codec.TextPlain, strings.NewReader(value))
	if err != nil {
		t.Fatal(err)
	}
	body, err := answer.ReadBody()
	if err != nil {
		t.Fatal(err)
	}
	return answer.Code(), string(body)
}

func TestACertificateOfADeviceThatIsNotRegisteredIsOut(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	a := testca.New(t)
	gateway := a.Gateway()
	server := s.serve(t, func(c *coap.Config) {
		c.Doors = coap.Doors{TLS: "127.0.0.1:0", Certificate: &gateway, ClientCAs: a.Pool()}
	})
	_, _, at := server.DoorAddrs()
	dial := func(name string) *client.Conn {
		t.Helper()
		conn, err := tcp.Dial(at.String(), options.WithTLS(&tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{a.Device(name)}}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	ended := func(name string, conn *client.Conn) {
		t.Helper()
		select {
		case <-conn.Done():
		case <-time.After(patience):
			t.Errorf("the connection of %s goes on", name)
		}
	}
	ended("a stranger", dial("stranger"))
	conn := dial("pump-7")
	if code, text := postOver(t, conn, "/r/pump-7/temperature", "1"); code != codes.Changed {
		t.Fatalf("got %v %q", code, text)
	}
	s.change(t, fsm.RemoveDeviceCommand{Name: "pump-7"})
	ended("a device that was removed", conn)
}

// A device whose handshake fails sees nothing but silence: the operator is told.
func TestAFailedHandshakeIsNotedForItsDevice(t *testing.T) {
	s := newStore(t)
	s.register(t, "pump-7")
	s.change(t, fsm.PutDeviceCommand{Name: "pump-8", Create: true}) // has no key
	limits := secure.DefaultLimits()
	limits.HandshakeTimeout = 500 * time.Millisecond
	server := s.serve(t, func(c *coap.Config) { c.Doors = coap.Doors{DTLS: "127.0.0.1:0", Secure: limits} })
	wait := func(device string) {
		t.Helper()
		await(t, "the failure is noted for "+device, func() bool {
			e, ok := server.Diary(device)
			return ok && e.Refused == 1 && e.Refusal.Code == "4.01" && strings.Contains(e.Refusal.Text, "the key is wrong")
		})
	}
	if _, err := tryEnter(t, server, "pump-8", "guess"); err == nil {
		t.Fatal("a device without a key is in")
	}
	wait("pump-8")
	enter(t, server, "pump-7").ask(coap.Request{Method: message.GET, Path: []string{"time"}})
	before, _ := server.Diary("pump-7")
	given, giveUp := context.WithCancel(t.Context())
	var failing sync.WaitGroup
	defer failing.Wait()
	defer giveUp()
	failing.Go(func() {
		at, _, _ := server.DoorAddrs()
		conn, err := dtls.DialWithOptions("udp", at.(*net.UDPAddr),
			dtls.WithPSK(func([]byte) ([]byte, error) { return []byte("guess"), nil }),
			dtls.WithPSKIdentityHint([]byte("pump-7")), dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if conn.HandshakeContext(given) == nil {
			t.Error("a wrong key is in")
		}
	})
	wait("pump-7")
	if after, _ := server.Diary("pump-7"); after.Address != before.Address || !after.Seen.Equal(before.Seen) || after.Requests != before.Requests {
		t.Errorf("who failed is taken for the device: %+v, before %+v", after, before)
	}
	if _, err := tryEnter(t, server, "stranger", "guess"); err == nil {
		t.Fatal("a stranger is in")
	}
	if _, ok := server.Diary("stranger"); ok {
		t.Error("a stranger is in the diary")
	}
}
