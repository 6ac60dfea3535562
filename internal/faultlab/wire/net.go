package wire

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// Weather is what befalls the messages on a directed link, as chances of each.
type Weather struct {
	Lost   float64       // it never arrives
	Late   float64       // its sender gives up, and it arrives after LateFrom to LateBy
	Twice  float64       // raft's requests: it arrives again after up to LateBy
	Broken float64       // a snapshot ends on its way
	Delay  time.Duration // up to so much for each

	LateCalls        float64 // as Late, of calls alone
	LateFrom, LateBy time.Duration
}

// Counts are messages by what befell them.
type Counts struct {
	Sent, Lost, Late, Twice, Broken, Delayed, Held uint64
}

// Net joins the ends of a site.
type Net struct {
	seed    uint64
	mu      sync.Mutex
	ends    map[raft.ServerAddress]*End
	links   map[route]*link
	paused  map[raft.ServerAddress]chan struct{} // closed when the end goes on
	weather Weather
	counts  Counts
}

type route struct{ from, to raft.ServerAddress }

// link is one direction between two addresses.
type link struct {
	random *rand.Rand
	cut    bool
}

// New returns a network in fine weather.
func New(seed uint64) *Net {
	return &Net{
		seed: seed, ends: map[raft.ServerAddress]*End{}, links: map[route]*link{},
		paused: map[raft.ServerAddress]chan struct{}{},
	}
}

// Join adds a server at an address; one that was there before hears nothing any
// more.
func (n *Net) Join(id raft.ServerID, address raft.ServerAddress) *End {
	e := &End{net: n, id: id, address: address, consumer: make(chan raft.RPC)}
	e.life, e.end = context.WithCancel(context.Background())
	e.closed = e.life.Done()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends[address] = e
	return e
}

// link of a route. The caller holds mu.
func (n *Net) link(r route) *link {
	l := n.links[r]
	if l == nil {
		h := fnv.New64a()
		_, _ = h.Write([]byte(r.from + ">" + r.to)) // a hash takes all
		l = &link{random: rand.New(rand.NewPCG(n.seed, h.Sum64()))}
		n.links[r] = l
	}
	return l
}

// Cut ends or restores one direction of a link.
func (n *Net) Cut(from, to raft.ServerAddress, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link(route{from, to}).cut = cut
}

// Split cuts all links between nodes of different sides, both ways.
func (n *Net) Split(sides ...[]raft.ServerAddress) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, side := range sides {
		for _, other := range append(append([][]raft.ServerAddress{}, sides[:i]...), sides[i+1:]...) {
			for _, a := range side {
				for _, b := range other {
					n.link(route{a, b}).cut = true
				}
			}
		}
	}
}

// Heal restores all links and gives fine weather. Paused ends stay so.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.links {
		l.cut = false
	}
	n.weather = Weather{}
}

// Weather sets what befalls all messages from now on.
func (n *Net) Weather(w Weather) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.weather = w
}

// Pause stops an end as SIGSTOP does a process; Resume lets it go on.
func (n *Net) Pause(a raft.ServerAddress) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused[a] == nil {
		n.paused[a] = make(chan struct{})
	}
}

// Resume ends a pause.
func (n *Net) Resume(a raft.ServerAddress) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if gate := n.paused[a]; gate != nil {
		close(gate)
		delete(n.paused, a)
	}
}

// Counts are of all messages so far.
func (n *Net) Counts() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts
}

// fate is what befalls one message.
type fate struct {
	lost, late, twice, broken bool
	delay, lateBy             time.Duration
	gates                     []chan struct{} // of paused ends
	to                        *End            // nil when nobody is there
}

// drawCall decides about a call that is sent now.
func (n *Net) drawCall(r route) fate {
	f := n.draw(r)
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.weather.LateCalls; p > 0 && !f.late && n.link(r).random.Float64() < p {
		f.late = true
		n.counts.Late++
	}
	return f
}

// draw decides about a message that is sent now.
func (n *Net) draw(r route) fate {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, w := n.link(r), &n.weather
	f := fate{lost: l.cut, to: n.ends[r.to]}
	n.counts.Sent++
	for _, a := range []raft.ServerAddress{r.from, r.to} {
		if gate := n.paused[a]; gate != nil {
			f.gates = append(f.gates, gate)
			n.counts.Held++
		}
	}
	if *w == (Weather{}) {
		return f
	}
	chance := func(p float64, count *uint64) bool {
		if p == 0 || l.random.Float64() >= p {
			return false
		}
		*count++
		return true
	}
	f.lost = chance(w.Lost, &n.counts.Lost) || f.lost
	f.late = chance(w.Late, &n.counts.Late)
	f.twice = chance(w.Twice, &n.counts.Twice)
	f.broken = chance(w.Broken, &n.counts.Broken)
	if late := w.LateBy - w.LateFrom; late > 0 {
		f.lateBy = w.LateFrom + time.Duration(l.random.Int64N(int64(late)))
	}
	if w.Delay > 0 {
		f.delay = time.Duration(l.random.Int64N(int64(w.Delay)))
		n.counts.Delayed++
	}
	return f
}

var _ transport.Network = (*End)(nil)
