package coap_test

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skerry/coap"
	"skerry/coap/link"
	"skerry/coap/message"
)

// crowd is a client that asks all CoAP nodes of a link.
type crowd struct {
	*raw
	conn  *net.UDPConn
	group *net.UDPAddr
}

// callAll serves at addr and returns a client that asks a group.
func callAll(t *testing.T, addr, group string, leisure time.Duration, edit ...func(*coap.Config)) *crowd {
	t.Helper()
	s := newStore(t)
	edit = append(edit, func(c *coap.Config) {
		c.Addr, c.Multicast, c.Gateways, c.Limits.Leisure = addr, true, twoGateways, leisure
	})
	server := s.serve(t, edit...)
	to := &net.UDPAddr{IP: net.ParseIP(group), Port: server.Addr().Port}
	from, link := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, "lo"
	if to.IP.To4() == nil {
		from.IP, link = net.ParseIP(apartAddr), apartLink
	}
	i, err := net.InterfaceByName(link)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	sendBy(t, conn, i.Index, to.IP.To4() != nil)
	return &crowd{&raw{t, conn}, conn, to}
}

// sendBy has a socket send to groups on an interface.
func sendBy(t *testing.T, conn *net.UDPConn, index int, four bool) {
	t.Helper()
	control, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = control.Control(func(fd uintptr) {
		if four {
			failed = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(index)})
		} else {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index)
		}
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

func (c *crowd) call(datagram []byte) {
	c.tb.Helper()
	if _, err := c.conn.WriteToUDP(datagram, c.group); err != nil {
		c.tb.Fatal(err)
	}
}

// hear reads the next datagram, which is a NON with a token, and who sent it.
func (c *crowd) hear(token string) (m message.Message, from netip.AddrPort, size int) {
	c.tb.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.tb.Fatal(err)
	}
	b := make([]byte, 2048)
	n, from, err := c.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		c.tb.Fatal(err)
	}
	if _, err := message.Parse(b[:n], &m); err != nil || m.Type != message.NON || string(m.Token) != token {
		c.tb.Fatalf("heard %x: %v, want a NON with the token %s", b[:n], err, token)
	}
	return m, from, n
}

// discover is a NON that looks for what there is.
func discover(tb testing.TB, id uint16, token string, query ...string) []byte {
	tb.Helper()
	return request(tb, id, token, coap.Request{Method: message.GET, Path: []string{".well-known", "core"}, Query: query, Unconfirmed: true})
}

func TestAGatewayIsFoundByMulticast(t *testing.T) {
	for _, c := range []struct{ name, addr, group string }{
		{"bound to one address", "127.0.0.1:0", "224.0.1.187"},
		{"bound to another address of lo", "127.0.0.9:0", "224.0.1.187"},
		{"bound to all IPv4 addresses", "0.0.0.0:0", "224.0.1.187"},
		{"bound to all addresses, by IPv4", "[::]:0", "224.0.1.187"},
	} {
		t.Run(c.name, func(t *testing.T) { isFound(t, callAll(t, c.addr, c.group, 0), c.addr) })
	}
	if os.Geteuid() != 0 {
		return // the rest takes a network namespace: lo does no multicast for IPv6
	}
	for _, c := range []struct{ name, addr, group string }{
		{"bound to one IPv6 address, by its link", "[" + apartAddr + "]:0", "ff02::fd"},
		{"bound to one IPv6 address, by its site", "[" + apartAddr + "]:0", "ff05::fd"},
		{"bound to all addresses, by its link", "[::]:0", "ff02::fd"},
		{"bound to all addresses, by its site", "[::]:0", "ff05::fd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			apart(t)
			isFound(t, callAll(t, c.addr, c.group, 0), c.addr)
		})
	}
}

// The link in the network namespace of a test.
const (
	apartLink = "v0"
	apartAddr = "fd00::1"
)

// apart moves the test's thread into a network namespace with a link of its own.
// The thread ends with the test.
func apart(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"link set lo up",
		"link add " + apartLink + " type veth peer name v1",
		"link set v1 up",
		"link set " + apartLink + " up",
		"addr add " + apartAddr + "/64 dev " + apartLink + " nodad",
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", command, err, out)
		}
	}
	// The kernel takes a while until it knows that the address is its own.
	await(t, "the address is taken", func() bool {
		out, err := exec.Command("ip", "route", "get", apartAddr).CombinedOutput()
		return err == nil && strings.HasPrefix(string(out), "local")
	})
}

func isFound(t *testing.T, c *crowd, addr string) {
	t.Helper()
	ask := discover(t, 7, "abcd", "rt=core.rd")
	c.call(ask)
	m, from, size := c.hear("abcd")
	if m.Code != message.Content || string(m.Payload) != `</rd>;rt="core.rd";if="core.ll";ct=40` {
		t.Errorf("heard %v %q", m.Code, m.Payload)
	}
	if size > 3*len(ask) {
		t.Errorf("%d bytes came for %d: more than three times as many", size, len(ask))
	}
	bound := netip.MustParseAddrPort(addr).Addr()
	if int(from.Port()) != c.group.Port || !bound.IsUnspecified() && from.Addr() != bound {
		t.Errorf("it came from %s, want the address of the server", from)
	}
}

func TestAnAnswerToAGroupIsSmallForAPeerThatIsKnownToo(t *testing.T) {
	c := callAll(t, "[::]:0", "224.0.1.187", 0)
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: c.group.Port}
	write := func(b []byte) {
		if _, err := c.conn.WriteToUDP(b, to); err != nil {
			t.Fatal(err)
		}
	}
	write(request(t, 1, "t", coap.Request{Method: message.GET, Path: []string{".well-known", "core"}}))
	if b := c.next(); b[1] == 0 { // a ping, by which the server gets to know it
		write([]byte{0x70, 0, b[2], b[3]})
		c.next()
	}
	ask := discover(t, 7, "t")
	c.call(ask)
	if m, _, size := c.hear("t"); m.Code != message.Content || size > 3*len(ask) {
		t.Errorf("%v of %d bytes came for %d, want 2.05 of at most three times as many", m.Code, size, len(ask))
	}
}

func TestAnAnswerToAGroupIsSmallAndItsRestIsAskedFor(t *testing.T) {
	c := callAll(t, "127.0.0.1:0", "224.0.1.187", 0)
	ask := discover(t, 7, "t")
	c.call(ask)
	m, from, size := c.hear("t")
	b2, ok := m.Uint(message.Block2)
	if !ok || b2&8 == 0 || size > 3*len(ask) {
		t.Fatalf("%d bytes came for %d, with Block2 %d: want a first block of at most three times as many", size, len(ask), b2)
	}
	peer := dialRaw(t, from.String())
	peer.prove()
	body := bytes.Clone(m.Payload)
	szx := b2 & 7
	for num, more := uint32(1), true; more; num++ {
		get := ask1(t, uint16(num), num<<4|szx)
		a := peer.ask(get).want(t, message.Content)
		block, _ := a.Uint(message.Block2)
		more = block&8 != 0
		body = append(body, a.Payload...)
	}
	links, err := link.Parse(body)
	if err != nil || len(links) != 8 {
		t.Errorf("the blocks make %d links: %v\n%s", len(links), err, body)
	}
}

// ask1 asks for a block of what there is.
func ask1(tb testing.TB, id uint16, block2 uint32) ask {
	tb.Helper()
	return ask{id: id, method: message.GET, path: ".well-known/core"}.with(message.Block2, []byte{byte(block2 >> 16), byte(block2 >> 8), byte(block2)})
}

func TestOnlyWhatThereIsIsSaidToAGroup(t *testing.T) {
	c := callAll(t, "127.0.0.1:0", "224.0.1.187", 0)
	silent := map[string][]byte{
		"a CON":                        request(t, 1, "x", coap.Request{Method: message.GET, Path: []string{".well-known", "core"}}),
		"a ping":                       {0x40, 0, 0, 1},
		"a POST":                       request(t, 2, "x", coap.Request{Method: message.POST, Path: coap.ReadingPath("d", "x"), Payload: []byte("1"), Unconfirmed: true}),
		"the time":                     request(t, 3, "x", coap.Request{Method: message.GET, Path: []string{"time"}, Unconfirmed: true}),
		"a path that is not there":     request(t, 4, "x", coap.Request{Method: message.GET, Path: []string{"x"}, Unconfirmed: true}),
		"a filter that nothing meets":  discover(t, 5, "x", "rt=nothing"),
		"a filter that is none":        discover(t, 6, "x", "rt"),
		"the series of the whole site": discover(t, 7, "x", "rt=skerry.series"),
		"a format that is not given":   request(t, 8, "x", coap.Request{Method: message.GET, Path: []string{".well-known", "core"}, Choosy: true, Accept: 50, Unconfirmed: true}),
		"a malformed datagram":         {0x49, 2, 0, 8},
		"a malformed CON":              {0x40, 1, 0, 9, 0xff},
		"a response":                   {0x60, 0x45, 0, 9},
	}
	for name, datagram := range silent {
		t.Run(name, func(t *testing.T) {
			c.call(datagram)
			c.call(discover(t, 100, "good", "rt=core.rd"))
			c.hear("good")
		})
	}
	t.Run("gateways are told", func(t *testing.T) {
		c.call(request(t, 200, "token", coap.Request{Method: message.GET, Path: []string{"gateways"}, Query: []string{"title=n1"}, Unconfirmed: true}))
		if m, _, _ := c.hear("token"); !strings.HasPrefix(string(m.Payload), "<coap://10.0.0.1>") {
			t.Errorf("heard %q", m.Payload)
		}
	})
}

func TestAGroupIsAnsweredAtLeisureAndOnce(t *testing.T) {
	const leisure = 100 * time.Millisecond
	c := callAll(t, "127.0.0.1:0", "224.0.1.187", leisure)
	for range 3 {
		c.call(discover(t, 1, "one", "rt=core.rd"))
	}
	c.hear("one")
	c.call(discover(t, 2, "two", "rt=core.rd"))
	c.hear("two")
}

func TestABoundNumberOfAnswersToAGroupWait(t *testing.T) {
	c := callAll(t, "127.0.0.1:0", "224.0.1.187", time.Hour)
	for i := range 1000 {
		c.call(discover(t, uint16(i), "t", "rt=core.rd"))
	}
	// The server goes on with what is sent to it alone.
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(c.group.Port))
	peer := dialRaw(t, to.String())
	peer.exchange(post(t, 1, "t", "1")).want(t, message.Changed, "t")
}
