package address_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"skerry/cluster/address"
	"skerry/fsm"
)

var floating = netip.MustParseAddr("10.0.0.100")

var (
	errNoLeader = errors.New("no leader")
	errUnknown  = errors.New("not known yet")
)

// world is a site of some gateways, in the fake time of synctest. What a command
// does is decided by the real state; log time runs while there is a leader.
type world struct {
	t        testing.TB
	profile  string
	gateways []*gateway // the first says that it leads

	mu     sync.Mutex
	state  *fsm.State
	index  uint64
	base   fsm.LogTime // at since
	since  time.Time   // when the leader's reign began
	leads  chan struct{}
	led    bool // leads is closed
	random *rand.Rand
	slow   time.Duration // bound of each of a proposal's three ways
}

func newWorld(t testing.TB, profile string, seed uint64, n int) *world {
	w := &world{
		t: t, profile: profile, state: fsm.NewState(), leads: make(chan struct{}),
		random: rand.New(rand.NewPCG(seed, 1)), slow: 10 * time.Millisecond,
	}
	w.elect()
	w.apply(&fsm.Genesis{Site: "demo", CutRows: 1 << 20, CutBytes: 1 << 24, WindowBytes: 1 << 24})
	for i := range n {
		w.gateways = append(w.gateways, &gateway{w: w, name: string(rune('a' + i)), up: true})
	}
	return w
}

func (w *world) elect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.led {
		w.led, w.base, w.since = true, w.state.LogTime(), time.Now()
		close(w.leads)
	}
}

// loseLeader stops log time until elect.
func (w *world) loseLeader() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.led {
		w.led, w.leads = false, make(chan struct{})
	}
}

// leader returns a channel that is closed while there is a leader.
func (w *world) leader() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leads
}

func (w *world) logTime() (at fsm.LogTime, led bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.base + fsm.LogTime(time.Since(w.since)/time.Microsecond), w.led
}

func (w *world) apply(cmd fsm.Command) fsm.Result {
	at, _ := w.logTime()
	return w.applyAt(cmd, at)
}

func (w *world) applyAt(cmd fsm.Command, at fsm.LogTime) fsm.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index++
	op, body := fsm.Encode(cmd)
	if err := fsm.Check(op, body); err != nil {
		w.t.Fatal(err)
	}
	applied, err := w.state.Apply(w.index, 1, fsm.AppendEntry(nil, fsm.Header{Op: op, LogTime: at}, body))
	if err != nil {
		w.t.Fatal(err)
	}
	return fsm.Result{Index: w.index, Outcomes: slices.Clone(applied.Outcomes[0])}
}

func (w *world) delay() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.Int64N(int64(w.slow)))
}

// span is a time in which the kernel of one gateway has the address.
type span struct {
	gateway    string
	from, till time.Time
}

// gateway is one node: its way to the site and its interface. Its kernel takes
// the address off as late as a kernel may.
type gateway struct {
	w      *world
	name   string
	keeper *address.Keeper

	mu        sync.Mutex
	up        bool
	stopped   chan struct{} // nil while the process runs; closed when it goes on
	spans     []span
	announced int
	fault     error // of Set
	traps     traps
}

// traps stop the process at the next Set for a while: on its way to the kernel,
// or back.
type traps struct{ before, after time.Duration }

// run runs a keeper on the gateway until ctx is done.
func (g *gateway) run(ctx context.Context) {
	times, err := address.TimesOf(g.w.profile)
	if err != nil {
		g.w.t.Fatal(err)
	}
	g.keeper, err = address.NewKeeper(address.Config{
		Address: floating, Node: g.name, Times: times, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, g, g)
	if err != nil {
		g.w.t.Fatal(err)
	}
	if err := g.keeper.Run(ctx); err != nil {
		g.w.t.Errorf("%s ended with %v", g.name, err)
	}
}

// stop is SIGSTOP: the process goes no further than its next call.
func (g *gateway) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped == nil {
		g.stopped = make(chan struct{})
	}
}

func (g *gateway) stopFor(d time.Duration) {
	if d > 0 {
		g.stop()
		time.AfterFunc(d, g.resume)
	}
}

func (g *gateway) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped != nil {
		close(g.stopped)
		g.stopped = nil
	}
}

// runs returns when the process is not stopped.
func (g *gateway) runs() {
	g.mu.Lock()
	stopped := g.stopped
	g.mu.Unlock()
	if stopped != nil {
		<-stopped
		g.runs()
	}
}

func (g *gateway) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	defer g.runs()
	g.runs()
	time.Sleep(g.w.delay()) // to the leader
	patience := time.NewTimer(5 * time.Second)
	defer patience.Stop()
	select {
	case <-g.w.leader():
	case <-patience.C:
		return fsm.Result{}, errNoLeader
	case <-ctx.Done():
		return fsm.Result{}, errNoLeader
	}
	at, led := g.w.logTime()
	if !led {
		return fsm.Result{}, errNoLeader
	}
	time.Sleep(g.w.delay()) // to the disks
	if _, led := g.w.logTime(); !led {
		return fsm.Result{}, errUnknown
	}
	result := g.w.applyAt(cmd, at)
	time.Sleep(g.w.delay()) // back
	return result, nil
}

func (g *gateway) Lease(name string) (fsm.Lease, bool) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	return g.w.state.Lease(name)
}

func (g *gateway) Role() (serves, leads bool) { return true, g == g.w.gateways[0] }

func (g *gateway) Up() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.up
}

func (g *gateway) Set(lifetime time.Duration) error {
	g.mu.Lock()
	sprung := g.traps
	g.traps = traps{}
	g.mu.Unlock()
	g.stopFor(sprung.before)
	g.runs()
	defer g.runs()
	defer g.stopFor(sprung.after)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fault != nil {
		return g.fault
	}
	now := time.Now()
	till := now.Add(lifetime + address.KernelLate)
	if last := len(g.spans) - 1; last >= 0 && g.spans[last].till.After(now) {
		g.spans[last].till = till
	} else {
		g.spans = append(g.spans, span{g.name, now, till})
	}
	return nil
}

func (g *gateway) Remove() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last := len(g.spans) - 1; last >= 0 && g.spans[last].till.After(time.Now()) {
		g.spans[last].till = time.Now()
	}
	return nil
}

func (g *gateway) Announce() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.announced++
	return nil
}

// hadIt are the times in which the gateway's kernel had the address.
func (g *gateway) hadIt() []span {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.spans)
}

func (g *gateway) announcements() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.announced
}

// has tells whether the gateway's kernel has the address now.
func (g *gateway) has() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.spans) > 0 && g.spans[len(g.spans)-1].till.After(time.Now())
}

// holder waits until a gateway other than not has the address.
func (w *world) holder(within time.Duration, not ...*gateway) *gateway {
	w.t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(time.Millisecond) {
		for _, g := range w.gateways {
			if !slices.Contains(not, g) && g.has() {
				return g
			}
		}
		if !time.Now().Before(end) {
			w.t.Fatalf("nobody has the address after %s", within)
		}
	}
}

// neverTwo checks that the address was never at two gateways for any time.
func (w *world) neverTwo() {
	w.t.Helper()
	var all []span
	for _, g := range w.gateways {
		all = append(all, g.hadIt()...)
	}
	slices.SortFunc(all, func(a, b span) int { return a.from.Compare(b.from) })
	for i, a := range all {
		for _, b := range all[i+1:] {
			if both := a.till.Sub(b.from); a.gateway != b.gateway && both > 0 && b.till.After(b.from) {
				w.t.Fatalf("%s and %s had the address at once for up to %s", a.gateway, b.gateway, both)
			}
		}
	}
}

func (w *world) setSlow(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = d
}

func (g *gateway) setUp(up bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.up = up
}

func (g *gateway) setFault(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = err
}

// trap lays traps at all gateways.
func (w *world) trap(laid traps) {
	for _, g := range w.gateways {
		g.mu.Lock()
		g.traps = laid
		g.mu.Unlock()
	}
}
