package secure_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
)

// withCID has a client ask for a connection ID.
func withCID() dtls.ClientOption { return dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()) }

func TestADeviceThatMovedGoesOn(t *testing.T) {
	d := open(t, nil)
	socket := newRoamer(t, "127.0.0.1:0")
	c := d.enter(socket, "pump-7", withCID())
	c.say("1")
	for _, from := range []string{"127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"} {
		socket.move(t, from)
		c.say("from " + from)
		if got, want := d.latest().Remote().String(), socket.LocalAddr().String(); got != want {
			t.Errorf("remote %s, want %s", got, want)
		}
	}
	if s := d.Stats(); s.Sessions != 1 || s.Completed != 1 {
		t.Errorf("%d sessions of %d handshakes, want one of one", s.Sessions, s.Completed)
	}
}

// tap copies what a device sends.
type tap struct {
	*roamer
	sent chan []byte
}

func (p *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	select {
	case p.sent <- append([]byte(nil), b...):
	default:
	}
	return p.roamer.WriteTo(b, to)
}

func TestNobodyMovesADeviceByForgery(t *testing.T) {
	d := open(t, nil)
	socket := &tap{newRoamer(t, "127.0.0.1:0"), make(chan []byte, 100)}
	c := d.enter(socket, "pump-7", withCID())
	c.say("1")
	at := d.latest().Remote()
	var record []byte
	for len(socket.sent) > 0 {
		record = <-socket.sent // the last one: the message
	}
	forger := udp(t, "127.0.0.9:0")
	forged := append([]byte(nil), record...)
	forged[10] += 5 // a later record, by its number alone
	for _, b := range [][]byte{record, forged} {
		if _, err := forger.WriteTo(b, d.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	c.say("2")
	if got := d.latest().Remote(); got != at {
		t.Errorf("remote %s, want %s", got, at)
	}
	if err := forger.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := forger.Read(make([]byte, 100)); err == nil {
		t.Errorf("the forger got %d bytes", n)
	}
}

// severed is a device's socket until the device loses its power.
type severed struct {
	*roamer
	off, left atomic.Bool
}

func (s *severed) cut(tb testing.TB) {
	tb.Helper()
	s.off.Store(true)
	if err := s.roamer.SetReadDeadline(time.Unix(1, 0)); err != nil {
		tb.Fatal(err)
	}
	until(tb, "who reads it", func() bool { return s.left.Load() })
	if err := s.roamer.SetReadDeadline(time.Time{}); err != nil {
		tb.Fatal(err)
	}
}

func (s *severed) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.roamer.ReadFrom(b)
	if s.off.Load() {
		s.left.Store(true)
		return 0, nil, net.ErrClosed
	}
	return n, from, err
}

func (s *severed) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.off.Load() {
		return len(b), nil
	}
	return s.roamer.WriteTo(b, to)
}

func (s *severed) SetReadDeadline(t time.Time) error {
	if s.off.Load() {
		return nil
	}
	return s.roamer.SetReadDeadline(t)
}

func TestADeviceThatWasSwitchedOffAndOnTakesItsPlace(t *testing.T) {
	for _, c := range []struct {
		name string
		more []dtls.ClientOption
	}{
		{"without a connection ID", nil},
		{"with one", []dtls.ClientOption{withCID()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, nil)
			socket := newRoamer(t, "127.0.0.1:0")
			lost := &severed{roamer: socket}
			d.enter(lost, "pump-7", c.more...).say("before")
			lost.cut(t) // it lost its power: it says no goodbye
			after := d.enter(socket, "pump-7", c.more...)
			after.say("after")
			until(t, "the end of the session before", func() bool { return d.over() == 1 && d.Stats().Sessions == 1 })
			if s := d.Stats(); s.Replaced != 1 {
				t.Errorf("%d replaced, want 1", s.Replaced)
			}
			after.say("still")
		})
	}
}

func TestAForgedHelloEndsNoSession(t *testing.T) {
	d := open(t, nil)
	socket := newRoamer(t, "127.0.0.1:0")
	c := d.enter(socket, "pump-7")
	c.say("1")
	for i := range byte(20) {
		if _, err := socket.WriteTo(clientHello(i), d.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the forged handshake", func() bool { return d.Stats().Handshakes == 1 })
	c.say("2")
	if s := d.Stats(); s.Sessions != 1 || s.Replaced != 0 {
		t.Errorf("%d sessions, %d replaced, want 1 and 0", s.Sessions, s.Replaced)
	}
}
