//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skerry/coap"
	"skerry/coap/message"
)

const (
	spoofed      = 50_000   // addresses that send one datagram each
	unawaited    = 10_000   // messages of a peer that waits for no answer
	abandoned    = 10_000   // block transfers that are begun and left
	mayGrow      = 64 << 20 // bytes of memory over that at rest
	amplifies    = 3        // times what an unproven peer sent
	politeEvery  = 2 * time.Millisecond
	politeAtRest = 3 * time.Second
)

// TestHostileLoad sends a gateway what a hostile network may send, all at once,
// beside a device that goes on posting.
func TestHostileLoad(t *testing.T) {
	s := startSite(t, 3)
	target := s.nodes[0]
	polite := newPolite(t, target)
	polite.run(politeAtRest) // warms up
	rest := polite.run(politeAtRest)
	atRest := target.memory()

	stop := make(chan struct{})
	var peak atomic.Int64
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			peak.Store(max(peak.Load(), target.memory()))
			select {
			case <-stop:
				return
			case <-time.After(pollEvery):
			}
		}
	})
	done := make(chan struct{})
	var hostile sync.WaitGroup
	for _, attack := range []func(testing.TB, string){spoof, flood, abandon, amplify} {
		hostile.Go(func() { attack(t, target.coap) })
	}
	go func() { hostile.Wait(); close(done) }()
	under := polite.until(done)
	close(stop)
	watching.Wait()
	after := polite.run(politeAtRest)

	t.Logf("a polite device's p99 at rest %s, under attack %s (%.1f times; %d posts), afterwards %s", rest.p99(), under.p99(),
		float64(under.p99())/float64(rest.p99()), len(under), after.p99())
	t.Logf("memory at rest %d MiB, at most %d MiB under attack", atRest>>20, peak.Load()>>20)
	if grew := peak.Load() - atRest; grew > mayGrow {
		t.Errorf("memory grew by %d MiB, want at most %d", grew>>20, mayGrow>>20)
	}
	if len(under) == 0 {
		t.Error("nothing of the polite device was acknowledged under attack")
	}
}

// memory is what the process holds in RAM, in bytes.
func (n *node) memory() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.process.Process.Pid))
	if err != nil {
		n.t.Error(err)
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				n.t.Error(err)
			}
			return kib << 10
		}
	}
	n.t.Error("no VmRSS")
	return 0
}

// polite is a device that posts, waits for the answer, and posts again.
type polite struct {
	t      testing.TB
	client *coap.Client
	posted int
}

func newPolite(t testing.TB, n *node) *polite {
	t.Helper()
	client, err := coap.Dial(n.coap, coap.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return &polite{t: t, client: client}
}

// waits are how long posts took.
type waits []time.Duration

func (w waits) p99() time.Duration {
	if len(w) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(w))
	return sorted[len(sorted)*99/100].Round(10 * time.Microsecond)
}

func (p *polite) run(d time.Duration) waits {
	done := make(chan struct{})
	time.AfterFunc(d, func() { close(done) })
	return p.until(done)
}

// until posts until done is closed. Each post must be acknowledged.
func (p *polite) until(done <-chan struct{}) (took waits) {
	tick := time.NewTicker(politeEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return took
		case <-tick.C:
		}
		p.posted++
		start := time.Now()
		ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
		answer, err := p.client.Do(ctx, coap.Request{
			Method: message.POST, Path: coap.ReadingPath("polite", "count"), Payload: fmt.Append(nil, p.posted),
		})
		cancel()
		if err != nil || answer.Code != message.Changed {
			p.t.Errorf("post %d: %v %s: %v", p.posted, answer.Code, answer.Payload, err)
			return took
		}
		took = append(took, time.Since(start))
	}
}

// spoof sends one datagram from each of many addresses, and hears no answer.
func spoof(t testing.TB, target string) {
	to, err := net.ResolveUDPAddr("udp", target)
	if err != nil {
		t.Error(err)
		return
	}
	for i := range spoofed {
		from := &net.UDPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))}
		conn, err := net.DialUDP("udp", from, to)
		if err != nil {
			t.Errorf("address %d: %v", i, err)
			return
		}
		_, _ = conn.Write(hostileDatagrams(i)[i%6]) // an ICMP error of an earlier one
		conn.Close()
	}
}

// hostileDatagrams are what an address may send to make a gateway keep state or
// send much.
func hostileDatagrams(i int) [][]byte {
	m := func(code message.Code, add func(*message.Message), path ...string) []byte {
		msg := message.Message{Type: message.CON, Code: code, ID: uint16(i), Token: fmt.Appendf(nil, "%08x", i)}
		for _, segment := range path {
			msg.Add(message.URIPath, []byte(segment))
		}
		if add != nil {
			add(&msg)
		}
		b, err := msg.Append(nil)
		if err != nil {
			panic(err) // a message of this test's own
		}
		return b
	}
	return [][]byte{
		m(message.GET, nil, ".well-known", "core"),
		m(message.GET, func(m *message.Message) { m.Add(message.URIQuery, []byte("from=0")) }, "r", "polite", "count"),
		m(message.GET, func(m *message.Message) { m.AddUint(message.Observe, 0) }, "r", "polite", "count"),
		m(message.PUT, func(m *message.Message) {
			m.AddUint(message.Block1, 0xe) // the first of many blocks of 1,024 bytes
			m.Payload = make([]byte, 1024)
		}, "r", "hostile", fmt.Sprint(i%100)),
		m(message.GET, nil, "r", "nobody", "nothing"),
		{0x49, 2, byte(i >> 8), byte(i)}, // malformed
	}
}

// flood sends many messages without waiting for an answer.
func flood(t testing.TB, target string) {
	conn, err := net.Dial("udp", target)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	for i := range unawaited {
		r := coap.Request{Method: message.POST, Unconfirmed: true, Path: coap.ReadingPath("flood", "count"), Payload: fmt.Append(nil, i)}
		b, err := coap.AppendRequest(nil, uint16(i), fmt.Appendf(nil, "%08x", i), &r)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write(b)
	}
}

// abandon begins block transfers and leaves them.
func abandon(t testing.TB, target string) {
	conn, err := net.Dial("udp", target)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	for i := range abandoned {
		m := message.Message{Type: message.CON, Code: message.PUT, ID: uint16(i), Token: []byte{byte(i)}, Payload: make([]byte, 1024)}
		for _, segment := range coap.ReadingPath("abandoned", "x") {
			m.Add(message.URIPath, []byte(segment))
		}
		m.AddUint(message.Block1, 0xe)
		m.Add(message.RequestTag, fmt.Appendf(nil, "%08x", i))
		b, err := m.Append(nil)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write(b)
	}
}

// amplify measures how much comes back to addresses that prove nothing, for each
// kind of datagram and for some of noise.
func amplify(t testing.TB, target string) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		conn, err := net.Dial("udp", target)
		if err != nil {
			t.Error(err)
			return
		}
		kinds := hostileDatagrams(i)
		datagram := kinds[i%len(kinds)]
		if i%10 == 9 {
			datagram = make([]byte, 4+random.IntN(60))
			for j := range datagram {
				datagram[j] = byte(random.Uint32())
			}
			datagram[0] = 0x40 | datagram[0]&0x3f
		}
		sent, got := 0, 0
		b := make([]byte, 64<<10)
		for range 3 {
			n, err := conn.Write(datagram)
			if err != nil {
				continue
			}
			sent += n
			for {
				_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // fails only on a closed socket
				n, err := conn.Read(b)
				if err != nil {
					break
				}
				got += n
			}
		}
		if got > amplifies*sent {
			t.Errorf("%d bytes come back for %d of %x", got, sent, datagram[:min(len(datagram), 40)])
		}
		conn.Close()
	}
}
