package gossip_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"skerry/cluster/gossip"
)

// start opens a node on a free port of the loopback.
func start(tb testing.TB, name string, join ...string) *gossip.Memberlist {
	tb.Helper()
	m, err := gossip.Open(gossip.Config{Listen: "127.0.0.1:0", Join: join, Self: self(name), Log: io.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func self(name string) gossip.Peer {
	return gossip.Peer{ID: name + ".1", Name: name, Site: "demo", Cluster: "127.0.0.1:7420", Version: "1"}
}

// find is what m hears of a name.
func find(m gossip.Gossip, name string) (p gossip.Peer, ok bool) {
	for _, p := range m.Peers() {
		if p.Name == name {
			return p, true
		}
	}
	return gossip.Peer{}, false
}

// await waits for a change after which ok holds.
func await(tb testing.TB, m gossip.Gossip, what string, ok func() bool) {
	tb.Helper()
	timeout := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-m.Changed():
		case <-timeout:
			tb.Fatalf("not seen: %s; peers are %+v", what, m.Peers())
		}
	}
}

func stop(tb testing.TB, m *gossip.Memberlist) {
	tb.Helper()
	if err := m.Close(); err != nil {
		tb.Error(err)
	}
}

func TestTwoNodesFindEachOtherHearNewsAndMissTheOneThatStops(t *testing.T) {
	a := start(t, "a")
	defer stop(t, a)
	b := start(t, "b", a.Address())
	for m, name := range map[*gossip.Memberlist]string{a: "b", b: "a"} {
		await(t, m, name, func() bool { _, ok := find(m, name); return ok })
		want := self(name)
		want.Alive = true
		if got, _ := find(m, name); got != want {
			t.Errorf("heard of %+v, want %+v", got, want)
		}
		if got := m.Peers(); len(got) != 2 {
			t.Errorf("%d peers, want itself and the other", len(got))
		}
	}
	news := self("b")
	news.HasState, news.HTTP = true, "127.0.0.1:7480"
	if err := b.Update(news); err != nil {
		t.Fatal(err)
	}
	await(t, a, "the news", func() bool { p, _ := find(a, "b"); return p.HasState && p.HTTP == news.HTTP })
	if p, ok := find(b, "b"); !ok || !p.HasState || !p.Alive {
		t.Errorf("b says of itself %+v, want its own news", p)
	}

	stop(t, b)
	await(t, a, "that b went", func() bool { p, ok := find(a, "b"); return ok && !p.Alive && p.HasState })

	again := start(t, "b", a.Address())
	defer stop(t, again)
	await(t, a, "b again", func() bool { p, _ := find(a, "b"); return p.Alive })
	if got := a.Peers(); len(got) != 2 {
		t.Errorf("peers %+v, want b once", got)
	}
}

func TestANodeAsksUntilAPeerComes(t *testing.T) {
	early := start(t, "early")
	address := early.Address()
	stop(t, early) // nobody is there yet
	late := start(t, "late", address)
	defer stop(t, late)
	early, err := gossip.Open(gossip.Config{Listen: address, Self: self("early"), Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, early)
	await(t, early, "late", func() bool { _, ok := find(early, "late"); return ok })
}

func TestAPeerToJoinMayBeGivenByName(t *testing.T) {
	a := start(t, "a")
	defer stop(t, a)
	_, port, err := net.SplitHostPort(a.Address())
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, "b", net.JoinHostPort("localhost", port))
	defer stop(t, b)
	await(t, a, "b", func() bool { _, ok := find(a, "b"); return ok })
}

func TestWhatCannotBeOpenedSaysWhatToDo(t *testing.T) {
	a := start(t, "a")
	defer stop(t, a)
	long := self("a")
	long.CoAP = strings.Repeat("x", 512)
	for _, c := range []struct {
		name   string
		config gossip.Config
		want   string
	}{
		{"a taken port", gossip.Config{Listen: a.Address(), Self: self("b")}, "choose another with --gossip"},
		{"no port", gossip.Config{Listen: "127.0.0.1", Self: self("b")}, "missing port"},
		{"a port that is no number", gossip.Config{Listen: "127.0.0.1:x", Self: self("b")}, "port"},
		{"too much to tell", gossip.Config{Listen: "127.0.0.1:0", Self: long}, "use shorter names"},
	} {
		c.config.Log = io.Discard
		if _, err := gossip.Open(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: err = %v, want one with %q", c.name, err, c.want)
		}
	}
	if err := a.Update(long); err == nil {
		t.Error("an update that is too long is taken")
	}
}

func TestAHostsNameIsTakenAsItsAddress(t *testing.T) {
	m, err := gossip.Open(gossip.Config{Listen: "localhost:0", Advertise: "localhost", Self: self("a"), Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, m)
	if got := m.Address(); !strings.HasPrefix(got, "127.0.0.1:") && !strings.HasPrefix(got, "[::1]:") || strings.HasSuffix(got, ":0") {
		t.Errorf("it gossips at %s, want the loopback and a port", got)
	}
}

func TestTheDeadAreRememberedUpToABoundTheOldestGoFirst(t *testing.T) {
	m := start(t, "a")
	defer stop(t, m)
	const extra = 3
	for i := range gossip.MaxDead + extra {
		p := self(fmt.Sprintf("n%d", i))
		if err := gossip.Hear(m, p); err != nil {
			t.Fatal(err)
		}
		gossip.Miss(m, p.ID)
	}
	if got, want := len(m.Peers()), 1+gossip.MaxDead; got != want {
		t.Errorf("%d peers, want %d", got, want)
	}
	for i, want := range map[int]bool{0: false, extra - 1: false, extra: true, gossip.MaxDead + extra - 1: true} {
		if p, ok := find(m, fmt.Sprintf("n%d", i)); ok != want || p.Alive {
			t.Errorf("n%d is remembered %t (%+v), want %t and not alive", i, ok, p, want)
		}
	}
	gossip.Miss(m, "nobody.1")
	if got, want := len(m.Peers()), 1+gossip.MaxDead; got != want {
		t.Errorf("%d peers after one went that never came, want %d", got, want)
	}
}

func TestInMemoryAllHearOfEachOther(t *testing.T) {
	m := gossip.NewMemory()
	a, b := m.Join(self("a")), m.Join(self("b"))
	await(t, a, "b", func() bool { p, _ := find(a, "b"); return p.Alive })
	news := self("b")
	news.HasState = true
	if err := b.Update(news); err != nil {
		t.Fatal(err)
	}
	await(t, a, "the news", func() bool { p, _ := find(a, "b"); return p.HasState })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, a, "that b went", func() bool { p, ok := find(a, "b"); return ok && !p.Alive })
}
