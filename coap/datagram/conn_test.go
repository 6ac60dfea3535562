package datagram_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"skerry/coap/datagram"
)

const patience = 10 * time.Second

func listen(t *testing.T, addr string) *datagram.Conn {
	t.Helper()
	c, err := datagram.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.UDP().SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnAnswerLeavesFromWhereTheQuestionCame(t *testing.T) {
	for _, c := range []struct{ name, listen, dial string }{
		{"one IPv4 address", "127.0.0.1:0", "127.0.0.1"},
		{"all IPv4 addresses", "0.0.0.0:0", "127.0.0.5"},
		{"all addresses, by IPv4", "[::]:0", "127.0.0.6"},
		{"all addresses, by IPv6", "[::]:0", "::1"},
		{"one IPv6 address", "[::1]:0", "::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := listen(t, c.listen)
			to := netip.AddrPortFrom(netip.MustParseAddr(c.dial), uint16(conn.Addr().Port))
			peer, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to)) // hears only that address
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			if _, err := peer.Write([]byte("question")); err != nil {
				t.Fatal(err)
			}
			in, err := datagram.NewReceiver(conn).Receive()
			if err != nil || len(in) != 1 || string(in[0].Data) != "question" {
				t.Fatalf("received %v: %v", in, err)
			}
			if want := peer.LocalAddr().(*net.UDPAddr).AddrPort(); in[0].Peer != want {
				t.Errorf("from %v, want %v", in[0].Peer, want)
			}
			in[0].Data = []byte("answer")
			if refused := datagram.NewSender(conn).Send(in); refused != 0 {
				t.Fatalf("%d refused", refused)
			}
			if err := peer.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 100)
			n, err := peer.Read(b)
			if err != nil || string(b[:n]) != "answer" {
				t.Fatalf("got %q: %v", b[:n], err)
			}
		})
	}
}

func TestManyDatagramsKeepTheirOrder(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	const many = 300
	var out []datagram.Message
	for i := range many {
		out = append(out, datagram.Message{Peer: b.Addr().AddrPort(), Data: fmt.Appendf(nil, "%d", i)})
	}
	if refused := datagram.NewSender(a).Send(out); refused != 0 {
		t.Fatalf("%d refused", refused)
	}
	r := datagram.NewReceiver(b)
	for got := 0; got < many; {
		in, err := r.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range in {
			if want := fmt.Sprint(got); string(m.Data) != want {
				t.Fatalf("got %s, want %s", m.Data, want)
			}
			got++
		}
	}
}

func TestADatagramThatIsRefusedHoldsUpNoOther(t *testing.T) {
	a, b := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	to := b.Addr().AddrPort()
	out := []datagram.Message{
		{Peer: to, Data: []byte("first")},
		{Peer: to, Data: make([]byte, 66_000)}, // larger than UDP has them
		{Peer: to, Data: []byte("last")},
		{Peer: to},
	}
	if refused := datagram.NewSender(a).Send(out); refused != 1 {
		t.Errorf("%d refused, want 1", refused)
	}
	r := datagram.NewReceiver(b)
	var got []string
	for len(got) < 3 {
		in, err := r.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range in {
			got = append(got, string(m.Data))
		}
	}
	if fmt.Sprint(got) != "[first last ]" {
		t.Errorf("got %q", got)
	}
}

func TestReceiveEndsByDeadlineAndByClose(t *testing.T) {
	c := listen(t, "127.0.0.1:0")
	if err := c.UDP().SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	r := datagram.NewReceiver(c)
	if _, err := r.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	c.Close()
	if _, err := r.Receive(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if refused := datagram.NewSender(c).Send([]datagram.Message{{Peer: netip.MustParseAddrPort("127.0.0.1:9"), Data: []byte("x")}}); refused != 1 {
		t.Errorf("%d refused by a closed socket, want 1", refused)
	}
}

func TestNothingIsAllocatedForADatagram(t *testing.T) {
	a, b := listen(t, "[::]:0"), listen(t, "[::]:0")
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(b.Addr().Port))
	out := []datagram.Message{{Peer: to, Data: []byte("x")}}
	s, r := datagram.NewSender(a), datagram.NewReceiver(b)
	got := testing.AllocsPerRun(100, func() {
		if s.Send(out) != 0 {
			t.Fatal("refused")
		}
		if _, err := r.Receive(); err != nil {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}
