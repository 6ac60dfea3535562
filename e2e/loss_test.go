//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"skerry/coap"
	"skerry/coap/message"
)

// What the network between devices and gateways does to a datagram.
const (
	dropped    = 0.2
	doubled    = 0.1
	heldUp     = 0.2 // so that later ones overtake it
	longestWay = 60 * time.Millisecond
)

// lossyPath brings datagrams to one gateway and back, as a bad network does.
// Each device has a socket of its own towards the gateway.
type lossyPath struct {
	addr    string // where devices send to
	gateway string
	front   *net.UDPConn
	work    sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	ways   map[string]net.Conn // by the device's address; guarded by mu

	lost, twice, late atomic.Int64
}

func newLossyPath(t testing.TB, gateway string, seed uint64) *lossyPath {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &lossyPath{
		addr: front.LocalAddr().String(), gateway: gateway, front: front,
		random: rand.New(rand.NewPCG(seed, 1)), ways: map[string]net.Conn{},
	}
	p.work.Go(p.forth)
	t.Cleanup(p.close)
	return p
}

func (p *lossyPath) close() {
	p.front.Close()
	p.mu.Lock()
	for _, way := range p.ways {
		way.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// forth brings what devices send to the gateway.
func (p *lossyPath) forth() {
	b := make([]byte, 64<<10)
	for {
		n, from, err := p.front.ReadFromUDP(b)
		if err != nil {
			return
		}
		way, err := p.way(from)
		if err != nil {
			return
		}
		p.carry(b[:n], func(d []byte) { _, _ = way.Write(d) }) // a gateway that is down loses it
	}
}

// way is a device's socket towards the gateway, with its way back.
func (p *lossyPath) way(device *net.UDPAddr) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if way := p.ways[device.String()]; way != nil {
		return way, nil
	}
	way, err := net.Dial("udp", p.gateway)
	if err != nil {
		return nil, err
	}
	p.ways[device.String()] = way
	p.work.Go(func() {
		b := make([]byte, 64<<10)
		for {
			n, err := way.Read(b)
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err == nil {
				p.carry(b[:n], func(d []byte) { _, _ = p.front.WriteToUDP(d, device) })
			}
		}
	})
	return way, nil
}

// carry sends a datagram as the network pleases.
func (p *lossyPath) carry(b []byte, send func([]byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.random.Float64() < dropped {
		p.lost.Add(1)
		return
	}
	copies := 1
	if p.random.Float64() < doubled {
		p.twice.Add(1)
		copies = 2
	}
	for range copies {
		if p.random.Float64() >= heldUp {
			send(b)
			continue
		}
		p.late.Add(1)
		d := append([]byte(nil), b...)
		time.AfterFunc(time.Duration(p.random.Int64N(int64(longestWay))), func() { send(d) })
	}
}

// identified is how the readings of a device are known again.
type identified int

const (
	byTime    identified = iota // each has its own
	byID                        // with ?id=
	byMessage                   // timeless: the datagram itself, at one gateway
)

// lossyDevice posts readings over lossy paths, one after the other, and repeats
// each until it is acknowledged.
type lossyDevice struct {
	name  string
	by    identified
	conns []net.Conn // to the gateways
	at    int        // the one it uses
	id    uint16
	token uint32
}

// Of a device: how long it waits for an answer first, at most, and how many
// copies it sends before it tries the next gateway.
const (
	firstWait   = 150 * time.Millisecond
	longestWait = 2 * time.Second
	copies      = 5
)

func newLossyDevice(t testing.TB, number int, by identified, paths []*lossyPath) *lossyDevice {
	t.Helper()
	d := &lossyDevice{name: fmt.Sprintf("%s-%d", []string{"timed", "named", "plain"}[by], number), by: by, at: number % len(paths), id: uint16(rand.Uint32())}
	for _, p := range paths {
		conn, err := net.Dial("udp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		d.conns = append(d.conns, conn)
	}
	return d
}

// begun is when the first reading was taken.
var begun = time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)

// post offers a reading until it is acknowledged.
func (d *lossyDevice) post(ctx context.Context, number int) error {
	r := coap.Request{
		Method: message.POST, Path: coap.ReadingPath(d.name, "count"), Typed: true, Format: 50,
		Payload: fmt.Appendf(nil, `{"value":%d}`, number),
	}
	switch d.by {
	case byTime:
		r.Payload = fmt.Appendf(nil, `{"value":%d,"time":%d}`, number, begun.Unix()+int64(number))
	case byID:
		r.Query = []string{fmt.Sprintf("id=%d", number)}
	}
	for ctx.Err() == nil {
		d.id++
		d.token++
		token := fmt.Appendf(nil, "%08x", d.token)
		datagram, err := coap.AppendRequest(nil, d.id, token, &r)
		if err != nil {
			return err
		}
		wait := firstWait
		for copy := 0; (copy < copies || d.by == byMessage) && ctx.Err() == nil; copy++ {
			_, _ = d.conns[d.at].Write(datagram) // a gateway that is down loses it
			done, err := d.answered(token, wait)
			if err != nil || done {
				return err
			}
			wait = min(2*wait, longestWait)
		}
		d.at = (d.at + 1) % len(d.conns)
	}
	return fmt.Errorf("%s: reading %d: %w", d.name, number, ctx.Err())
}

// answered waits for the answer to a token. 4.29, 5.03 and 5.04 ask for patience.
func (d *lossyDevice) answered(token []byte, wait time.Duration) (stored bool, err error) {
	deadline := time.Now().Add(wait)
	b := make([]byte, 64<<10)
	for {
		if err := d.conns[d.at].SetReadDeadline(deadline); err != nil {
			return false, err
		}
		n, err := d.conns[d.at].Read(b)
		if err != nil {
			if time.Now().Before(deadline) {
				continue // nobody there: the next copy finds out
			}
			return false, nil
		}
		var m message.Message
		kind, err := message.Parse(b[:n], &m)
		switch {
		case kind != message.Response || err != nil || string(m.Token) != string(token):
		case m.Code == message.Changed:
			return true, nil
		case m.Code.Class() == 4 && m.Code != message.TooManyRequests:
			return false, fmt.Errorf("%s: %v %s", d.name, m.Code, m.Payload)
		}
	}
}

func TestLoss(t *testing.T) {
	const (
		devices, each  = 100, 100 // 10,000 readings that may go to any gateway
		plain          = 20       // devices without times, each at its gateway
		killsAt, again = 3_000, 7_000
		limit          = 8 * time.Minute
	)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := startSite(t, 3)
	var paths []*lossyPath
	for i, n := range s.nodes {
		paths = append(paths, newLossyPath(t, n.coap, seed+uint64(i)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var acked atomic.Int64
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range devices + plain {
		by, at := identified(i%2), paths
		if i >= devices {
			by, at = byMessage, paths[i%len(paths):i%len(paths)+1]
		}
		d := newLossyDevice(t, i, by, at)
		g.Go(func() error {
			for number := range each {
				if err := d.post(ctx, number); err != nil {
					return err
				}
				acked.Add(1)
			}
			return nil
		})
	}
	for _, after := range []int64{killsAt, again} {
		eventually(t, limit, fmt.Sprintf("%d readings are acknowledged", after), func() error {
			if n := acked.Load(); n < after {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
		leader := s.waitLeader()
		kill(leader)
		leader.start()
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	s.waitLeader()
	s.digestsAgree()
	for _, n := range s.nodes {
		times := map[string]int{}
		for _, r := range n.history() {
			times[fmt.Sprintf("%s %g", r.Device, *r.Value)]++
		}
		if len(times) != (devices+plain)*each {
			t.Errorf("%s holds %d readings, want %d", n.name, len(times), (devices+plain)*each)
		}
		for reading, n := range times {
			if n != 1 {
				t.Errorf("reading %s is stored %d times", reading, n)
			}
		}
	}
	for _, p := range paths {
		if p.lost.Load() == 0 || p.twice.Load() == 0 || p.late.Load() == 0 {
			t.Errorf("a path lost %d, doubled %d and held up %d datagrams, want some of each", p.lost.Load(), p.twice.Load(), p.late.Load())
		}
		t.Logf("a path lost %d datagrams, doubled %d, held up %d", p.lost.Load(), p.twice.Load(), p.late.Load())
	}
	t.Logf("%d readings acknowledged and stored once in %s, the leader killed twice", acked.Load(), took.Round(time.Millisecond))
}
