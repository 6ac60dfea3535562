//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// datagramTimeout bounds the wait for a reply that must come, silenceTime how
// long a test listens for one that must not.
const (
	datagramTimeout = 10 * time.Second
	silenceTime     = 300 * time.Millisecond
	// forgetful is the age at which other servers take a duplicate for a new
	// request (RFC 7252 section 4.8.2 has EXCHANGE_LIFETIME at 247 s).
	forgetful = 21 * time.Second
)

// device is a UDP socket that sends datagrams as they are.
type device struct {
	t    testing.TB
	conn net.Conn
}

func dialDevice(t testing.TB, n *node) *device {
	t.Helper()
	conn, err := net.Dial("udp", n.coap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &device{t, conn}
}

func (d *device) send(text string) {
	d.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.conn.Write(b); err != nil {
		d.t.Fatal(err)
	}
}

// reply is the next datagram, nil when none comes in time.
func (d *device) reply(within time.Duration) []byte {
	d.t.Helper()
	if err := d.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		d.t.Fatal(err)
	}
	b := make([]byte, 64<<10)
	n, err := d.conn.Read(b)
	if err != nil {
		return nil
	}
	return b[:n]
}

// want sends a datagram and compares the beginning of the reply.
func (d *device) want(send, begin string) {
	d.t.Helper()
	d.send(send)
	got := d.reply(datagramTimeout)
	want, err := hex.DecodeString(strings.ReplaceAll(begin, " ", ""))
	if err != nil {
		d.t.Fatal(err)
	}
	if !bytes.HasPrefix(got, want) {
		d.t.Errorf("%s is answered with %x, want it to begin with %x", send, got, want)
	}
}

// postOf is the datagram of a POST to /r/<device>/t with a one-byte token.
func postOf(kind byte, id uint16, token byte, device, value string) string {
	return fmt.Sprintf("%02x02%04x%02x b172 %02x%x 0174 ff %x", kind<<4|0x41, id, token, len(device), device, value)
}

// valuesOf are a device's stored values in order, with spaces between them.
func (n *node) valuesOf(device string) string {
	n.t.Helper()
	var page struct {
		Readings []reading `json:"readings"`
	}
	if err := n.get("/v1/readings/"+device+"/t", &page); err != nil {
		n.t.Fatal(err)
	}
	var values []string
	for _, r := range page.Readings {
		values = append(values, fmt.Sprint(*r.Value))
	}
	return strings.Join(values, " ")
}

// TestDatagrams sends what brings other servers to lose or double readings, as
// bytes, to a running site. Each case that stores has a device of its own.
func TestDatagrams(t *testing.T) {
	const con, non = 0, 1
	s := startSite(t, 3)
	n := s.nodes[0]

	sleepy := dialDevice(t, n)
	sleepy.want(postOf(con, 8, 0xa1, "sleepy", "1"), "61440008a1")
	slept := time.Now()

	t.Run("the same message ID with another token and payload is another reading", func(t *testing.T) {
		d := dialDevice(t, n)
		d.want(postOf(con, 7, 0xa1, "restarted", "1"), "61440007a1")
		d.want(postOf(con, 7, 0xa2, "restarted", "2"), "61440007a2")
		if got := n.valuesOf("restarted"); got != "1 2" {
			t.Errorf("stored %q, want 1 2", got)
		}
	})
	t.Run("a malformed datagram is reset and ends nobody's state", func(t *testing.T) {
		d := dialDevice(t, n)
		post := postOf(con, 9, 0xa1, "steady", "1")
		d.want(post, "61440009a1")
		d.want("49020008", "70000008")
		d.want(post, "61440009a1")
		if got := n.valuesOf("steady"); got != "1" {
			t.Errorf("stored %q, want 1", got)
		}
	})
	t.Run("a peer that floods delays nobody else", func(t *testing.T) {
		flood := dialDevice(t, n)
		for i := range 2000 {
			flood.send(postOf(non, uint16(i), byte(i), fmt.Sprintf("flood%04d", i), "1"))
		}
		start := time.Now()
		dialDevice(t, n).want(postOf(con, 1, 0xa1, "polite", "1"), "61440001a1")
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the polite peer waited %s", took)
		}
	})
	t.Run("a NON is answered by a NON", func(t *testing.T) {
		d := dialDevice(t, n)
		d.send(postOf(non, 3, 0xa1, "non", "1"))
		got := d.reply(datagramTimeout)
		if len(got) < 5 || got[0] != 0x51 || got[1] != 0x44 || got[4] != 0xa1 {
			t.Errorf("answered with %x, want a NON 2.04 with the token", got)
		}
		if more := d.reply(silenceTime); more != nil {
			t.Errorf("and then with %x", more)
		}
	})
	t.Run("what RFC 7252 has rejected is rejected", func(t *testing.T) {
		const path = "b172 0164 0174"
		d := dialDevice(t, n)
		d.want("41020008aa"+path+"d129 00 ff31", "61820008aa") // critical option 65
		d.want("40250008"+path+"ff31", "70000008")             // class 1
		d.want("41000008aa", "70000008")                       // empty with token
		d.want("40020008"+path+"ff", "70000008")               // marker without payload
		for _, silent := range []string{"50020008" + path + "ff", "60000008", "70000008", "80020008" + path + "ff31", "40"} {
			d.send(silent)
			if got := d.reply(silenceTime); got != nil {
				t.Errorf("%s is answered with %x, want silence", silent, got)
			}
		}
	})
	t.Run("a duplicate that comes late is answered again and stored once", func(t *testing.T) {
		<-time.After(time.Until(slept.Add(forgetful))) // the age is the case
		sleepy.want(postOf(con, 8, 0xa1, "sleepy", "1"), "61440008a1")
		if got := n.valuesOf("sleepy"); got != "1" {
			t.Errorf("stored %q, want 1", got)
		}
	})
	s.digestsAgree()
}
