package gossip_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"skerry/cluster/gossip"
)

// network is the loopback with sides that do not reach each other.
type network struct {
	mu    sync.Mutex
	side  map[string]int // by gossip address; 0 for those not in it
	dials map[string]int // by address dialled
}

func newNetwork() *network { return &network{side: map[string]int{}, dials: map[string]int{}} }

func (n *network) cut(off ...*gossip.Memberlist) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range off {
		n.side[m.Address()] = 1
	}
}

func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.side)
}

func (n *network) dialled(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials[address]
}

// wire is a node's end of the network.
type wire struct {
	memberlist.NodeAwareTransport
	n    *network
	self string
}

func (w wire) leadsTo(address string) bool {
	w.n.mu.Lock()
	defer w.n.mu.Unlock()
	return w.n.side[w.self] == w.n.side[address]
}

func (w wire) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if !w.leadsTo(a.Addr) {
		return time.Now(), nil
	}
	return w.NodeAwareTransport.WriteToAddress(b, a)
}

func (w wire) WriteTo(b []byte, address string) (time.Time, error) {
	return w.WriteToAddress(b, memberlist.Address{Addr: address})
}

func (w wire) DialAddressTimeout(a memberlist.Address, limit time.Duration) (net.Conn, error) {
	w.n.mu.Lock()
	w.n.dials[a.Addr]++
	w.n.mu.Unlock()
	if !w.leadsTo(a.Addr) {
		return nil, errors.New("cut off")
	}
	return w.NodeAwareTransport.DialAddressTimeout(a, limit)
}

func (w wire) DialTimeout(address string, limit time.Duration) (net.Conn, error) {
	return w.DialAddressTimeout(memberlist.Address{Addr: address}, limit)
}

// start opens a node on UDP and TCP of the loopback that hears of deaths soon, and
// for which one is dead for long at once: memberlist turns to it no more.
func (n *network) start(tb testing.TB, self gossip.Peer, listen string, join ...string) *gossip.Memberlist {
	tb.Helper()
	c := gossip.Config{Listen: listen, Join: join, Self: self, Log: io.Discard}
	m, err := gossip.OpenTuned(c, 100*time.Millisecond, 200*time.Millisecond, func(c *memberlist.Config) {
		address := net.JoinHostPort(c.BindAddr, fmt.Sprint(c.BindPort))
		c.Transport = wire{c.Transport.(memberlist.NodeAwareTransport), n, address}
		c.ProbeInterval, c.ProbeTimeout, c.GossipInterval = 100*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
		c.GossipToTheDeadTime = time.Millisecond
		c.PushPullInterval = time.Hour // which is no cure
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

const free = "127.0.0.1:0"

// awaitAlive waits until all of them hear each other, and nobody else.
func awaitAlive(tb testing.TB, all ...*gossip.Memberlist) {
	tb.Helper()
	for _, m := range all {
		await(tb, m, fmt.Sprintf("%d alive", len(all)), func() bool {
			alive := 0
			for _, p := range m.Peers() {
				if p.Alive {
					alive++
				}
			}
			return alive == len(all)
		})
	}
}

func TestTwoPartsOfASiteThatWereCutOffForLongFindEachOtherAgain(t *testing.T) {
	n := newNetwork()
	first := n.start(t, self("first"), free)
	var site []*gossip.Memberlist
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		m := n.start(t, self(name), free, first.Address())
		defer stop(t, m)
		site = append(site, m)
	}
	awaitAlive(t, append(site, first)...)
	stop(t, first) // so what they were told to join is gone
	awaitAlive(t, site...)

	n.cut(site[3:]...)
	awaitAlive(t, site[:3]...)
	awaitAlive(t, site[3:]...)
	n.heal()
	awaitAlive(t, site...)
}

func TestANodeThatWasToldOfNobodyIsFoundAgainAfterItWasCutOffForLong(t *testing.T) {
	n := newNetwork()
	first := n.start(t, self("first"), free)
	defer stop(t, first)
	b, c := n.start(t, self("b"), free, first.Address()), n.start(t, self("c"), free, first.Address())
	defer stop(t, b)
	defer stop(t, c)
	awaitAlive(t, first, b, c)

	n.cut(first)
	awaitAlive(t, first)
	awaitAlive(t, b, c)
	n.heal()
	awaitAlive(t, first, b, c)
}

func TestANodeWhoseFirstAnswersLeadToOnePartFindsTheOtherToo(t *testing.T) {
	n := newNetwork()
	a, b := n.start(t, self("a"), free), n.start(t, self("b"), free)
	defer stop(t, a)
	defer stop(t, b)
	n.cut(b) // a and b never heard of each other
	c := n.start(t, self("c"), free, a.Address(), b.Address())
	defer stop(t, c)
	awaitAlive(t, a, c)
	n.heal()
	awaitAlive(t, a, b, c)
}

// left is a node whose only peer left, and where that gossiped.
func left(t *testing.T) (n *network, a *gossip.Memberlist, at string) {
	t.Helper()
	n = newNetwork()
	a = n.start(t, self("a"), free)
	b := n.start(t, self("b"), free, a.Address())
	at = b.Address()
	awaitAlive(t, a, b)
	stop(t, b)
	awaitAlive(t, a)
	return n, a, at
}

func TestAPeerThatLeftAndStartsInAnotherPartIsFound(t *testing.T) {
	n, a, at := left(t)
	defer stop(t, a)
	b := n.start(t, self("b"), at) // and knows nobody
	defer stop(t, b)
	awaitAlive(t, a, b)
}

func TestAnotherSiteAtTheAddressOfAPeerThatWentStaysApart(t *testing.T) {
	n, a, at := left(t)
	defer stop(t, a)

	other := self("x")
	other.Site = "other"
	x := n.start(t, other, at)
	defer stop(t, x)
	heard := n.dialled(at)
	deadline := time.After(20 * time.Second)
	for n.dialled(at) < heard+3 { // two were answered
		select {
		case <-deadline:
			t.Fatalf("x was asked %d times, want 3", n.dialled(at)-heard)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if p, ok := find(a, "x"); ok {
		t.Errorf("a took in %+v of another site", p)
	}
	if got := x.Peers(); len(got) != 1 {
		t.Errorf("x hears of %+v, want itself alone", got)
	}
	awaitAlive(t, a)
}

func TestANodeStopsAtOnceWhileAPeerThatItAsksHangs(t *testing.T) {
	hanging, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hanging.Close() }()
	m := start(t, "a", hanging.Addr().String())
	c, err := hanging.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	began := time.Now()
	stop(t, m)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it stopped after %v, want at once", took)
	}
	_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Error("the connection is still open")
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// asked runs a search for a time and tells when each address was asked.
func asked(tb testing.TB, join, gone, heard []string, alone bool, missAfter, length time.Duration) map[string][]time.Duration {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), length)
	defer cancel()
	began, missed := time.Now(), make(chan struct{}, 1)
	timer := time.AfterFunc(missAfter, func() { missed <- struct{}{} })
	defer timer.Stop()
	var mu sync.Mutex
	asked := map[string][]time.Duration{}
	gossip.Search(ctx, join, gone, heard, alone, missed, func(address string) {
		mu.Lock()
		defer mu.Unlock()
		asked[address] = append(asked[address], time.Since(began))
	})
	return asked
}

func seconds(n ...int) (all []time.Duration) {
	for _, n := range n {
		all = append(all, time.Duration(n)*time.Second)
	}
	return all
}

func TestAPeerThatIsGoneForDaysIsAskedOnceAMinute(t *testing.T) {
	const at = "192.0.2.1:7421"
	for _, c := range []struct {
		name         string
		alone        bool
		miss, length int // seconds
		want         []time.Duration
	}{
		{"others are alive", false, 1000, 250, seconds(0, 1, 3, 7, 15, 31, 63, 123, 183, 243)},
		{"a node that is alone does not wait so long", true, 1000, 23, seconds(0, 1, 3, 7, 12, 17, 22)},
		{"soon after another went", false, 70, 80, seconds(0, 1, 3, 7, 15, 31, 63, 71, 72, 74, 78)},
		{"no later than it would have been", false, 62, 68, seconds(0, 1, 3, 7, 15, 31, 63, 64, 66)},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := asked(t, nil, []string{at}, nil, c.alone, time.Duration(c.miss)*time.Second, time.Duration(c.length)*time.Second)
			if !slices.Equal(got[at], c.want) {
				t.Errorf("%s: asked after %v, want %v", c.name, got[at], c.want)
			}
		})
	}
}

func TestManyThatAreGoneAreAskedInTurnAndKeepNobodyFromThoseToJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gone []string
		for i := range 4 * gossip.AskAtOnce {
			gone = append(gone, fmt.Sprintf("192.0.2.%d:7421", i))
		}
		const heard = "198.51.100.1:7421"
		join := []string{heard, "198.51.100.2", "[2001:db8::3]:7000"}
		got := asked(t, join, gone, []string{heard}, false, time.Hour, 8*time.Second) // four rounds
		for _, at := range gone {
			if len(got[at]) != 1 {
				t.Errorf("%s was asked after %v, want once", at, got[at])
			}
		}
		for at, want := range map[string]int{heard: 0, "198.51.100.2:7421": 4, "[2001:db8::3]:7000": 4} {
			if len(got[at]) != want {
				t.Errorf("%s was asked after %v, want %d times", at, got[at], want)
			}
		}
	})
}
