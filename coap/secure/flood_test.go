package secure_test

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"skerry/coap/secure"
)

// clientHello is one that offers TLS_PSK_WITH_AES_128_CCM_8, without a cookie.
func clientHello(seed byte) []byte {
	body := []byte{254, 253}
	for i := range byte(32) {
		body = append(body, seed^i)
	}
	body = append(body, 0, 0)             // no session ID, no cookie
	body = append(body, 0, 2, 0xc0, 0xa8) // suites
	body = append(body, 1, 0)             // compression
	size := byte(len(body))
	b := []byte{22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12 + size}
	b = append(b, 1, 0, 0, size, 0, 0, 0, 0, 0, 0, 0, size)
	return append(b, body...)
}

// flood sends hellos from n addresses, each of its own.
func (d *door) flood(n int) {
	d.tb.Helper()
	for i := range n {
		from := &net.UDPAddr{IP: net.IPv4(127, byte(1+i>>16), byte(i>>8), byte(1+i&0x7f))}
		conn, err := net.DialUDP("udp", from, d.Addr())
		if err != nil {
			d.tb.Fatal(err)
		}
		if _, err := conn.Write(clientHello(byte(i))); err != nil {
			d.tb.Fatal(err)
		}
		conn.Close()
	}
}

func TestAFloodOfHellosTakesNoMemoryAndKeepsNobodyOut(t *testing.T) {
	d := open(t, nil)
	inside := d.enter(newRoamer(t, "127.0.0.1:0"), "pump-7")
	inside.say("before")
	places := secure.DefaultLimits().Handshakes
	rest := runtime.NumGoroutine()
	const hellos = 5_000
	d.flood(hellos)
	until(t, "the flood's end", func() bool {
		s := d.Stats()
		return int(s.TurnedAway)+s.Handshakes+int(s.Failed) >= hellos*9/10
	})
	if s := d.Stats(); s.Handshakes > places/2 {
		t.Errorf("%d handshakes, want at most %d", s.Handshakes, places/2)
	}
	if more := runtime.NumGoroutine() - rest; more > 6*places/2 {
		t.Errorf("%d goroutines more", more)
	}
	inside.say("during")
	// A device that comes now is asked to begin again, and is in then.
	if _, err := d.dial(newRoamer(t, "127.0.0.1:0"), knowing("tank-1", keys["tank-1"])...); err == nil {
		t.Error("in at once: the flood was not felt")
	}
	d.enter(newRoamer(t, "127.0.0.1:0"), "tank-1").say("in")
}

func TestTheOldestHandshakeGivesWay(t *testing.T) {
	const places = 8
	d := open(t, func(c *secure.Config) { c.Limits.Handshakes, c.Limits.HandshakesPerHost = places, 3 })
	socket := udp(t, "127.0.0.1:0")
	for i := range byte(100) {
		if _, err := socket.WriteTo(clientHello(i), d.Addr()); err != nil {
			t.Fatal(err)
		}
		other := udp(t, "127.0.0.1:0") // the same host from other ports
		if _, err := other.WriteTo(clientHello(i), d.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the handshakes that gave way", func() bool { return d.Stats().Failed >= 150 })
	if s := d.Stats(); s.Handshakes > 3 {
		t.Errorf("%d handshakes of one host, want at most 3", s.Handshakes)
	}
	d.enter(newRoamer(t, "127.0.0.1:0"), "tank-1").say("in")
}

func TestAHandshakeWithoutACookieEndsSoon(t *testing.T) {
	d := open(t, func(c *secure.Config) { c.Limits.CookieTimeout = 20 * time.Millisecond })
	if _, err := udp(t, "127.0.0.1:0").WriteTo(clientHello(1), d.Addr()); err != nil {
		t.Fatal(err)
	}
	until(t, "its end", func() bool { s := d.Stats(); return s.Failed == 1 && s.Handshakes == 0 })
}

func TestSessionsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name       string
		limits     func(*secure.Limits)
		identities []string
	}{
		{"all together", func(l *secure.Limits) { l.Sessions = 2 }, []string{"pump-7", "tank-1", "pump-7"}},
		{"of one identity", func(l *secure.Limits) { l.SessionsPerIdentity = 2 }, []string{"pump-7", "pump-7", "pump-7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, func(cfg *secure.Config) { c.limits(&cfg.Limits) })
			first := d.enter(newRoamer(t, "127.0.0.1:0"), c.identities[0])
			second := d.enter(newRoamer(t, "127.0.0.1:0"), c.identities[1])
			second.say("1")
			first.say("2") // so the second was not heard for longest
			third := d.enter(newRoamer(t, "127.0.0.1:0"), c.identities[2])
			until(t, "the end of the least heard", func() bool { return d.over() == 1 })
			first.say("3")
			third.say("4")
			if s := d.Stats(); s.Sessions != 2 || s.Evicted != 1 {
				t.Errorf("%d sessions, %d evicted, want 2 and 1", s.Sessions, s.Evicted)
			}
		})
	}
}

func TestASilentSessionEnds(t *testing.T) {
	d := open(t, func(c *secure.Config) { c.Limits.Idle = 100 * time.Millisecond })
	d.enter(newRoamer(t, "127.0.0.1:0"), "pump-7")
	until(t, "its end", func() bool { return d.over() == 1 && d.Stats().Expired >= 1 })
}

func TestWhatIsNotDTLSIsPassedOver(t *testing.T) {
	d := open(t, nil)
	socket := newRoamer(t, "127.0.0.1:0")
	c := d.enter(socket, "pump-7", withCID())
	for _, b := range [][]byte{
		{}, {22}, {0x40, 1, 0, 8}, make([]byte, 2000),
		{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1},
		{25, 254, 253, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3},
		{21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40}, // a fatal alert in the clear
		clientHello(1)[:40],
	} {
		if _, err := socket.WriteTo(b, d.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	c.say("still here")
	if s := d.Stats(); s.Handshakes != 0 || s.Sessions != 1 {
		t.Errorf("%d handshakes, %d sessions, want 0 and 1", s.Handshakes, s.Sessions)
	}
}

// BenchmarkSession reports what an idle session takes.
func BenchmarkSession(b *testing.B) {
	d := open(b, func(c *secure.Config) { c.Limits.SessionsPerIdentity = 1 << 20 })
	var before, after runtime.MemStats
	const n = 200
	conns := make([]*roamer, n)
	for i := range conns {
		conns[i] = newRoamer(b, "127.0.0.1:0")
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	devices := make([]*device, n)
	for i := range devices {
		devices[i] = d.enter(conns[i], "pump-7")
		devices[i].say(fmt.Sprint(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := runtime.NumGoroutine() - goroutines
	for b.Loop() {
		devices[0].say("21.6")
	}
	// Half of it is the client's, which is the same library.
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n/2, "heap-B/session")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n/2, "stack-B/session")
	b.ReportMetric(float64(held)/n/2, "goroutines/session")
}
