//go:build e2e

package e2e_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// probeEvery is how often a neighbour asks who has the address, and how
	// often each machine's kernel is asked whether it has it.
	probeEvery = 5 * time.Millisecond
	// askers is how many addresses ask in turn: an answer goes to the one that
	// asked, so it is known which question it answers for askers*probeEvery.
	askers = 64
)

// addressWatch looks from outside and inside who has an address.
type addressWatch struct {
	t        testing.TB
	address  netip.Addr
	machines []*space
	stopped  atomic.Bool
	watching sync.WaitGroup

	mu      sync.Mutex
	probes  []probe
	held    [][]sighting      // by machine, in the order of time
	tenures []addressTenure   // of those who answered
	shared  []string          // what says that two had it at once
	names   map[string]string // of machines, by hardware address
}

// probe is one question who has the address, and the hardware addresses that
// answered it.
type probe struct {
	at      time.Time
	answers []string
}

// sighting is a span in which a machine's kernel was seen to have the address:
// it had it at a moment before firstEnd and at one after lastBegin.
type sighting struct{ firstEnd, lastBegin time.Time }

// addressTenure is a time in which one hardware address alone answered.
type addressTenure struct {
	hardware    string
	first, last time.Time
}

// watchAddress watches from the machine until stop. The others may have it.
func watchAddress(t testing.TB, address netip.Addr, from *space, machines []*space) *addressWatch {
	t.Helper()
	w := &addressWatch{t: t, address: address, machines: machines, held: make([][]sighting, len(machines)), names: map[string]string{}}
	for i, m := range machines {
		w.names[m.link(t, ethernet).Attrs().HardwareAddr.String()] = fmt.Sprintf("n%d", i+1)
	}
	at := from.link(t, ethernet).Attrs()
	question := neighbourQuestion{address: address, from: at.HardwareAddr}
	frames := openFrames(t, from, question.protocol())
	to := unix.SockaddrLinklayer{Protocol: bigEndian(question.protocol()), Ifindex: at.Index, Halen: 6}
	copy(to.Addr[:], question.to())

	w.watching.Go(func() { w.listen(frames, question) })
	w.watching.Go(func() {
		for i := 0; !w.stopped.Load(); i++ {
			w.mu.Lock()
			w.probes = append(w.probes, probe{at: time.Now()})
			w.mu.Unlock()
			if err := unix.Sendto(frames, question.packet(i%askers), 0, &to); err != nil {
				t.Errorf("ask who has %s: %v", address, err)
				return
			}
			<-time.After(probeEvery)
		}
	})
	for i, m := range machines {
		w.watching.Go(func() { w.look(i, m) })
	}
	t.Cleanup(func() {
		w.stopped.Store(true)
		w.watching.Wait()
		unix.Close(frames)
	})
	return w
}

// openFrames is a socket that reads and writes the frames of one EtherType.
func openFrames(t testing.TB, in *space, protocol uint16) int {
	t.Helper()
	var fd int
	must(t, in.do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(bigEndian(protocol)))
		if err != nil {
			return err
		}
		return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})
	}))
	return fd
}

func bigEndian(n uint16) uint16 { return n<<8 | n>>8 }

// listen notes who answers.
func (w *addressWatch) listen(frames int, question neighbourQuestion) {
	b := make([]byte, 2048)
	for !w.stopped.Load() {
		n, _, err := unix.Recvfrom(frames, b, 0)
		if err != nil {
			continue
		}
		hardware, asker, ok := question.answer(b[:n])
		if !ok {
			continue
		}
		now := time.Now()
		w.mu.Lock()
		if last := len(w.tenures) - 1; last >= 0 && w.tenures[last].hardware == hardware {
			w.tenures[last].last = now
		} else {
			w.tenures = append(w.tenures, addressTenure{hardware, now, now})
		}
		if asker < askers { // else nobody asked: it was announced
			w.answered(asker, hardware)
		}
		w.mu.Unlock()
	}
}

// answered notes an answer to the last question of an asker.
func (w *addressWatch) answered(asker int, hardware string) {
	if len(w.probes) <= asker {
		return
	}
	p := &w.probes[(len(w.probes)-1-asker)/askers*askers+asker] // the last of number asker
	if !slices.Contains(p.answers, hardware) {
		p.answers = append(p.answers, hardware)
	}
	if len(p.answers) > 1 {
		w.shared = append(w.shared, fmt.Sprintf("%s and %s answered the same question", w.names[p.answers[0]], w.names[hardware]))
	}
}

// look asks a machine's kernel.
func (w *addressWatch) look(i int, m *space) {
	family := unix.AF_INET
	if w.address.Is6() {
		family = unix.AF_INET6
	}
	eth := m.link(w.t, ethernet)
	had := false
	for ; !w.stopped.Load(); <-time.After(probeEvery) {
		begin := time.Now()
		list, err := m.kernel.AddrList(eth, family)
		if err != nil {
			continue // it changed meanwhile
		}
		has := false
		for _, a := range list {
			has = has || a.IP.Equal(w.address.AsSlice())
		}
		w.mu.Lock()
		if has && !had {
			w.held[i] = append(w.held[i], sighting{firstEnd: time.Now(), lastBegin: begin})
		} else if has {
			w.held[i][len(w.held[i])-1].lastBegin = begin
		}
		w.mu.Unlock()
		had = has
	}
}

// holder is the machine whose kernel has the address now, -1 for none.
func (w *addressWatch) holder() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, seen := range w.held {
		if len(seen) > 0 && time.Since(seen[len(seen)-1].lastBegin) < 10*probeEvery {
			return i
		}
	}
	return -1
}

// neverTwo fails the test if two machines had the address at once, and tells
// what was seen.
func (w *addressWatch) neverTwo() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	answered := 0
	for _, p := range w.probes {
		if len(p.answers) > 0 {
			answered++
		}
	}
	if n := len(w.shared); n > 0 {
		w.t.Errorf("%d questions were answered by two, the first: %s", n, w.shared[0])
	}
	spans := 0
	for i, a := range w.held {
		spans += len(a)
		for j, b := range w.held[i+1:] {
			for _, one := range a {
				for _, other := range b {
					if one.firstEnd.Before(other.lastBegin) && other.firstEnd.Before(one.lastBegin) {
						w.t.Errorf("the kernels of n%d and n%d had %s at once", i+1, i+j+2, w.address)
					}
				}
			}
		}
	}
	shortest := time.Hour
	for i := 1; i < len(w.tenures); i++ {
		shortest = min(shortest, w.tenures[i].first.Sub(w.tenures[i-1].last))
	}
	w.t.Logf("%d of %d questions were answered, %d by two; %d tenures, at least %s between two; %d spans in the kernels",
		answered, len(w.probes), len(w.shared), len(w.tenures), shortest.Round(time.Millisecond), spans)
}

// neighbourQuestion is "who has this address?": an ARP request (RFC 826), or a
// neighbour solicitation (RFC 4861 section 4.3) for IPv6.
type neighbourQuestion struct {
	address netip.Addr
	from    net.HardwareAddr
}

func (q neighbourQuestion) protocol() uint16 {
	if q.address.Is4() {
		return unix.ETH_P_ARP
	}
	return unix.ETH_P_IPV6
}

// to is the Ethernet address of the question: everybody, or the group of those
// whose address ends like the one asked for (RFC 4291 section 2.7.1).
func (q neighbourQuestion) to() net.HardwareAddr {
	if q.address.Is4() {
		return net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	a := q.address.As16()
	return net.HardwareAddr{0x33, 0x33, 0xff, a[13], a[14], a[15]}
}

// asker is the address that question number k comes from: 128 and up in the last
// byte.
func (q neighbourQuestion) asker(k int) netip.Addr {
	b := q.address.AsSlice()
	b[len(b)-1] = byte(128 + k)
	a, _ := netip.AddrFromSlice(b)
	return a
}

func (q neighbourQuestion) packet(k int) []byte {
	from := q.asker(k)
	if q.address.Is4() {
		b := []byte{0, 1, 8, 0, 6, 4, 0, 1}
		b = append(append(b, q.from...), from.AsSlice()...)
		b = append(b, make([]byte, 6)...)
		return append(b, q.address.AsSlice()...)
	}
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	a := q.address.As16()
	copy(group[13:], a[13:])
	message := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, a[:]...)
	message = append(append(message, 1, 1), q.from...)
	sum := uint32(len(message)) + unix.IPPROTO_ICMPV6
	for _, part := range [][]byte{from.AsSlice(), group[:], message} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(part[i])<<8 + uint32(part[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	message[2], message[3] = ^byte(sum>>8), ^byte(sum)
	b := []byte{0x60, 0, 0, 0, 0, byte(len(message)), unix.IPPROTO_ICMPV6, 255}
	b = append(append(b, from.AsSlice()...), group[:]...)
	return append(b, message...)
}

// answer is who says in a packet to have the address, and to which asker;
// askers for nobody who asked.
func (q neighbourQuestion) answer(b []byte) (hardware string, asker int, ok bool) {
	var to, about []byte
	switch {
	case q.address.Is4() && len(b) >= 28 && b[7] != 1: // a reply
		to, about, hardware = b[24:28], b[14:18], net.HardwareAddr(b[8:14]).String()
	case q.address.Is4() && len(b) >= 28 && string(b[14:18]) == string(b[24:28]): // an announcement
		to, about, hardware = b[24:28], b[14:18], net.HardwareAddr(b[8:14]).String()
	case q.address.Is6() && len(b) >= 72 && b[6] == unix.IPPROTO_ICMPV6 && b[40] == 136:
		to, about, hardware = b[24:40], b[48:64], net.HardwareAddr(b[66:72]).String()
	}
	if string(about) != string(q.address.AsSlice()) {
		return "", 0, false
	}
	for k := range askers {
		if string(to) == string(q.asker(k).AsSlice()) {
			return hardware, k, true
		}
	}
	return hardware, askers, true
}
