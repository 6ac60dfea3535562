package stream_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"skerry/coap/message"
	"skerry/coap/stream"
)

func TestTheFirstMessageSaysWhatIsTaken(t *testing.T) {
	d := open(t, nil)
	conn := d.dialRaw()
	m := conn.hear()
	if m.Code != message.CSM {
		t.Fatalf("the first message is %v", m.Code)
	}
	if size, ok := m.Uint(2); !ok || size != uint32(stream.DefaultLimits().MaxMessage) {
		t.Errorf("Max-Message-Size %d, want %d", size, stream.DefaultLimits().MaxMessage)
	}
	if _, ok := m.Option(4); !ok {
		t.Error("no Block-Wise-Transfer")
	}
}

func TestMessagesAreFoundHoweverTheyCome(t *testing.T) {
	d := open(t, nil)
	p := d.dial()
	var all []byte
	var want []string
	for _, size := range []int{0, 5, 12, 13, 300, 5000, 60_000} {
		text := strings.Repeat("x", size)
		want = append(want, ":"+text)
		all = append(all, request(t, text)...)
	}
	t.Run("many at once", func(t *testing.T) {
		p.say(all...)
		for _, text := range want {
			p.want(message.Content, text)
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		for _, b := range all[:400] {
			p.say(b)
		}
		p.say(all[400:]...)
		for _, text := range want {
			p.want(message.Content, text)
		}
	})
	t.Run("with signals between them", func(t *testing.T) {
		p.say(0x50, 0xe1, 0x23, 1, 0, 0, 0x20) // a CSM
		p.ask("1")
		p.say(0x01, 0xe2, 9) // a ping
		p.say(0, 0)          // an empty message
		p.ask("2")
		got := map[message.Code]int{}
		for range 3 {
			got[p.hear().Code]++
		}
		if got[message.Content] != 2 || got[message.Pong] != 1 {
			t.Errorf("got %v, want two answers and a pong", got)
		}
	})
}

func TestABadOptionIsNamedWhateverTheLibraryMakesOfIt(t *testing.T) {
	d := open(t, nil)
	p := d.dial()
	p.say(0x61, 0x02, 7, 0x73, 1, 2, 3, 0x41, 'r') // Uri-Port of three bytes
	if m := p.hear(); m.Code != message.BadOption || !bytes.Contains(m.Payload, []byte("option 7")) {
		t.Errorf("got %v %q, want 4.02 and option 7", m.Code, m.Payload)
	}
	p.ask("still here")
	p.want(message.Content, ":still here")
}

func TestWhatIsNoCoAPEndsItsOwnConnection(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"a token of 9 bytes", []byte{0x09, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"a marker without a payload", []byte{0x10, 2, 0xff}},
		{"an option cut short", []byte{0x20, 2, 0xb5, 'r'}},
		{"a reserved class", []byte{0x00, 0x25}},
		{"a message of 4 GiB", []byte{0xf0, 0xff, 0xff, 0xff, 0xff, 2}},
		{"a message a little too large", []byte{0xe0, 0xff, 0xff, 2}},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")},
		{"TLS", []byte{22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, nil)
			other, p := d.dial(), d.dial()
			other.ask("before")
			p.say(c.in...)
			p.finish() // HTTP and TLS may look like the start of a message
			p.wantEnd()
			other.want(message.Content, ":before")
			other.ask("after")
			other.want(message.Content, ":after")
			until(t, "its end", func() bool { return d.over() == 1 })
		})
	}
}

func TestAPeerIsToldWhyItsConnectionEnds(t *testing.T) {
	d := open(t, nil)
	p := d.dial()
	p.say(0x10, 2, 0xff)
	p.want(message.Abort, message.ErrMarker.Error())
	p.wantEnd()
}

func TestAPeerThatDoesNotReadIsClosed(t *testing.T) {
	d := open(t, func(c *stream.Config) { c.Limits.Queue = 4 })
	p := d.dial()
	text := strings.Repeat("x", 60_000)
	go func() {
		for {
			if _, err := p.Write(request(t, text)); err != nil {
				return
			}
		}
	}()
	until(t, "its end", func() bool { s := d.Stats(); return s.Slow >= 1 && s.Connections == 0 })
}

func TestASilentPeerIsAskedForASignOfLife(t *testing.T) {
	d := open(t, func(c *stream.Config) {
		c.Limits.KeepAlive, c.Limits.Patience = 50*time.Millisecond, 200*time.Millisecond
	})
	quick, dead := d.dial(), d.dial()
	for range 5 { // longer than the patience
		if m := quick.hear(); m.Code != message.Ping {
			t.Fatalf("got %v, want a ping", m.Code)
		}
		quick.say(0x00, byte(message.Pong))
	}
	dead.wantEnd()
	if s := d.Stats(); s.Silent != 1 || s.Connections != 1 {
		t.Errorf("%d closed for their silence, %d left, want 1 and 1", s.Silent, s.Connections)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits func(*stream.Limits)
	}{
		{"all together", func(l *stream.Limits) { l.Connections = 2 }},
		{"of one host", func(l *stream.Limits) { l.ConnectionsPerHost = 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, func(cfg *stream.Config) { c.limits(&cfg.Limits) })
			first, second := d.dial(), d.dial()
			first.ask("1")
			first.want(message.Content, ":1") // so the second was not heard for longest
			third := d.dial()
			second.wantEnd()
			first.ask("2")
			first.want(message.Content, ":2")
			third.ask("3")
			third.want(message.Content, ":3")
			until(t, "the second's end", func() bool { s := d.Stats(); return s.Evicted == 1 && s.Connections == 2 })
		})
	}
}
