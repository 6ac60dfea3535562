package coap

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"skerry/coap/datagram"
	"skerry/coap/message"
)

// allNodes are the groups of all CoAP nodes (RFC 7252 section 12.8): of IPv4, of
// a link and of a site.
var allNodes = []netip.Addr{
	netip.MustParseAddr("224.0.1.187"),
	netip.MustParseAddr("ff02::fd"),
	netip.MustParseAddr("ff05::fd"),
}

const (
	// rejoinEvery is how often interfaces that came since are looked for.
	rejoinEvery = time.Minute
	// maxOverheard is the largest request to a group that is read, in bytes.
	maxOverheard = 1280
)

// membership is a group on an interface.
type membership struct {
	group netip.Addr
	index int
}

// groups are the multicast groups that a server hears. A server for all
// addresses hears them with its own socket, one for a single address with
// sockets bound to the groups, on the interface that has the address.
type groups struct {
	s      *Server
	local  netip.AddrPort
	joined map[membership]bool // false for one that failed and was told of
	ears   []ear
}

// ear is a socket that is bound to a group.
type ear struct {
	conn  *net.UDPConn
	index int
}

func newGroups(s *Server) *groups {
	local := s.Addr().AddrPort()
	return &groups{s: s, local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port()), joined: map[membership]bool{}}
}

// join joins what it has not joined yet. What fails is told once: a gateway that
// is not found by multicast still serves.
func (g *groups) join() {
	interfaces, err := net.Interfaces()
	if err != nil {
		g.s.log.Warn("coap hears no multicast: the interfaces are not known", "err", err)
		return
	}
	for i := range interfaces {
		four, six := g.serves(&interfaces[i])
		for _, group := range allNodes {
			m := membership{group, interfaces[i].Index}
			if member := g.joined[m]; member || group.Is4() && !four || group.Is6() && !six {
				continue
			}
			err := g.enter(m)
			if _, told := g.joined[m]; err != nil && !told {
				g.s.log.Warn("coap is not found by multicast on an interface", "interface", interfaces[i].Name, "err", err)
			}
			g.joined[m] = err == nil
		}
	}
}

// rejoin joins groups on interfaces that came since, or got an address. A server
// for a single address has its interface from the start.
func (g *groups) rejoin() {
	if g.local.Addr().IsUnspecified() {
		g.join()
	}
}

func (g *groups) enter(m membership) error {
	if g.local.Addr().IsUnspecified() {
		return g.s.socket.Join(m.group, m.index)
	}
	conn, err := datagram.ListenGroup(netip.AddrPortFrom(m.group, g.local.Port()), m.index)
	if err == nil {
		g.ears = append(g.ears, ear{conn, m.index})
	}
	return err
}

// serves tells by which versions of IP the server is reached on an interface.
func (g *groups) serves(i *net.Interface) (four, six bool) {
	if i.Flags&net.FlagUp == 0 || i.Flags&(net.FlagMulticast|net.FlagLoopback) == 0 {
		return false, false
	}
	addrs, err := i.Addrs()
	if err != nil {
		return false, false
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !g.boundTo(prefix, i) {
			continue
		}
		if prefix.Addr().Is4() {
			four = true
		} else {
			six = true
		}
	}
	return four, six
}

// boundTo tells whether the server's socket has an address of an interface.
func (g *groups) boundTo(prefix netip.Prefix, i *net.Interface) bool {
	local := g.local.Addr()
	switch {
	case local.IsUnspecified():
		return local.Is6() || prefix.Addr().Is4() // an IPv6 socket carries both
	case i.Flags&net.FlagLoopback != 0:
		return prefix.Masked().Contains(local) // all of 127.0.0.0/8 is this host's
	case local.Zone() != "" && local.Zone() != i.Name:
		return false
	}
	return prefix.Addr() == local.WithZone("")
}

// run hears and answers until ctx is done.
func (g *groups) run(ctx context.Context, beside *sync.WaitGroup) {
	beside.Go(func() { g.s.leisure.run(ctx) })
	for _, e := range g.ears {
		beside.Go(func() { g.hear(ctx, e) })
	}
}

// hear reads what comes to one group until ctx is done or the socket is closed.
func (g *groups) hear(ctx context.Context, e ear) {
	defer context.AfterFunc(ctx, func() { _ = e.conn.SetReadDeadline(time.Unix(1, 0)) })()
	d := newDesk(g.s)
	b := make([]byte, maxOverheard)
	for failed := 0; failed < maxReadErrors; {
		n, from, err := e.conn.ReadFromUDPAddrPort(b)
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed++
			continue
		}
		failed = 0
		g.s.stats.datagrams.Add(1)
		addr := from.Addr().Unmap()
		if addr.Zone() != "" {
			addr = addr.WithZone(strconv.Itoa(e.index))
		}
		d.begin(time.Now(), 1)
		d.overhear(ctx, &source{peer: &peer{}, from: netip.AddrPortFrom(addr, from.Port()), datagram: b[:n]})
	}
}

func (g *groups) close() (err error) {
	for _, e := range g.ears {
		err = errors.Join(err, e.conn.Close())
	}
	return err
}

// overhear takes a request to a group (RFC 7252 section 8.2): a NON that looks
// for what there is. It is answered at leisure where there is something to say;
// whatever else is sent to a group gets no answer, no RST and no error.
func (d *desk) overhear(ctx context.Context, from *source) {
	if !d.s.cfg.Multicast {
		return
	}
	kind, err := message.Parse(from.datagram, &d.msg)
	if err != nil {
		d.s.stats.malformed.Add(1)
	}
	if kind != message.Request || d.msg.Type != message.NON || d.msg.Code != message.GET {
		return
	}
	d.s.stats.requests[message.GET].Add(1)
	q := call{from: from, to: d.envelope(from)}
	q.to.room = amplification * len(from.datagram) // whoever it is: many answer
	q.at, err = d.route()
	if err != nil || q.at.place != atCore && q.at.place != atGateways {
		return
	}
	g, err := d.read(&q)
	if err != nil || g.wide() { // what is the same at all gateways is asked of one
		return
	}
	answer, err := d.s.answer(ctx, &g, nil)
	if err != nil || len(answer.payload) == 0 {
		return
	}
	d.s.leisure.take(overheard{to: q.to, answer: answer})
}
