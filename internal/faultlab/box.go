package faultlab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/gossip"
	"skerry/cluster/transport"
	"skerry/internal/faultlab/flash"
	"skerry/internal/faultlab/wire"
)

// startAgain is how long the supervisor of a node waits before it starts it
// again, as systemd does.
const startAgain = time.Second

// segmentBytes is the size of the log's segments: small, so that there are many.
const segmentBytes = 64 << 10

// scrubRate is a quarter of the least pace at which a node reads its history again,
// in bytes per second: nodes start every half minute here, and would read all they
// have after each start. What rots in an epoch is read at its end in any case.
const scrubRate = 4 << 10

// box is a gateway: a machine with a disk and a clock, and a supervisor that
// starts the node whenever it is not meant to be down.
type box struct {
	s       *site
	name    string
	address raft.ServerAddress
	disk    *flash.Disk
	random  *rand.Rand // of its disk's times, under the disk's lock
	tripped chan flash.Tear

	mu     sync.Mutex // guards all below
	life   *life      // nil while nothing runs
	end    *wire.End  // of the present or coming life
	down   time.Time  // not to be started before
	wall   time.Duration
	drift  float64 // the clock gains so much of itself
	driven time.Time
	wake   chan struct{} // closed when down was changed
	held   bool          // not to be started until let go
	why    error         // why it did not start, or ended, last
	// victim is set when its disk was wiped, rotted or replaced by an old one:
	// of a minority of the boxes until all is whole again.
	victim bool
	// image is of its disk, some epochs ago; nextImage is a newer one.
	image, nextImage flash.Image

	id    raft.ServerID // of the present or last life
	flips []rotted      // of its disk, not yet judged
}

// life is one process.
type life struct {
	node   *cluster.Node
	dead   atomic.Bool // what it answers from here on nobody hears
	cancel context.CancelFunc
	ran    chan error
}

func newBox(s *site, i int) *box {
	name := fmt.Sprintf("n%d", i+1)
	b := &box{
		s: s, name: name, address: raft.ServerAddress(name + ":7420"), disk: flash.New(s.plan.Seed + uint64(i)*7919),
		random: s.source("disk of " + name), tripped: make(chan flash.Tear, 1), driven: time.Now(), wake: make(chan struct{}),
	}
	b.slow(usualSync)
	return b
}

// clock is the box's wall clock. Virtual time begins in the year 2000.
func (b *box) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	gained := time.Duration(b.drift * float64(now.Sub(b.driven)))
	return now.AddDate(26, 10, 0).Add(b.wall + gained)
}

// turnClock moves the clock, and has it gain drift of itself from now on.
func (b *box) turnClock(by time.Duration, drift float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wall, b.drift, b.driven = by, drift, time.Now()
}

// present is the node that runs, nil for none.
func (b *box) present() *life {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.life == nil || b.life.dead.Load() {
		return nil
	}
	return b.life
}

// run starts the node again and again until ctx is done.
func (b *box) run(ctx context.Context) {
	for {
		if !b.awaitUp(ctx) {
			return
		}
		l, err := b.start()
		if err == nil {
			err = b.live(ctx, l)
		}
		b.takeTrip() // of a start that the power failed in
		b.mu.Lock()
		b.life, b.why = nil, err
		b.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, flash.ErrOver) {
			b.s.counts.add("process ended by itself")
			b.s.trace.add(b.name, "ended: %v", err)
			b.hear(err.Error())
			b.replace(ctx, err)
		}
		sleep(ctx, startAgain)
	}
}

// replaceAfter is how long it takes a person to empty a directory that a node
// refuses.
const replaceAfter = 20 * time.Second

// replace does what a victim's last words ask for.
func (b *box) replace(ctx context.Context, why error) {
	b.mu.Lock()
	victim := b.victim
	b.mu.Unlock()
	if !victim || !strings.Contains(why.Error(), "start with an empty") {
		return
	}
	if b.s.plan.Mode == Rot {
		b.s.truth.violation("%s wants a person, and nothing but bits has changed: %v", b.name, why)
		return
	}
	sleep(ctx, replaceAfter)
	b.s.counts.add("directories emptied by a person")
	b.s.trace.add(b.name, "a person empties its directory")
	b.disk.Wipe()
}

// live waits until a process ends.
func (b *box) live(ctx context.Context, l *life) error {
	var err error
	select {
	case err = <-l.ran:
	case tear := <-b.tripped:
		b.s.trace.add(b.name, "power fails in the middle of its work")
		b.cut(tear, 0)
		err = <-l.ran
	}
	if err != nil { // the process ends at once, whatever still runs in it
		b.silence(0)
		b.disk.Kill()
	}
	l.dead.Store(true)
	l.cancel()
	closed := l.node.Close()
	if err == nil {
		b.disk.Kill()
		err = closed
	}
	return err
}

// takeTrip cuts the power that failed while nothing ran that could say so.
func (b *box) takeTrip() {
	select {
	case tear := <-b.tripped:
		b.cut(tear, 0)
	default:
	}
}

// awaitUp waits while the box is to be down; false when ctx is done.
func (b *box) awaitUp(ctx context.Context) bool {
	for ctx.Err() == nil {
		b.mu.Lock()
		left, held, wake := time.Until(b.down), b.held, b.wake
		b.mu.Unlock()
		if left <= 0 && !held {
			return true
		}
		var after <-chan time.Time
		if !held {
			t := time.NewTimer(left)
			defer t.Stop()
			after = t.C
		}
		select {
		case <-after:
		case <-wake:
		case <-ctx.Done():
		}
	}
	return false
}

// start opens and runs a node.
func (b *box) start() (*life, error) {
	node, err := cluster.Open(cluster.Config{
		Name: b.name, Site: siteName, BootstrapExpect: len(b.s.boxes), Profile: b.s.profile, ScrubRate: b.s.plan.scrubRate(),
		Logger: b.s.trace.logger(b.name, b.s.plan.level(), b.hear), NoReplaceWait: true,
		Seams: cluster.Seams{
			Disk:         b.disk,
			Network:      func(id raft.ServerID) (transport.Network, error) { return b.join(id), nil },
			Gossip:       func(self gossip.Peer) (gossip.Gossip, error) { return b.s.gossip.Join(self), nil },
			SegmentBytes: segmentBytes,
			Wall:         b.clock,
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{node: node, cancel: cancel, ran: make(chan error, 1)}
	var duties []cluster.Duty
	if b.s.bucket != nil {
		duties = b.s.bucket.duties(b, node)
	}
	go func() { l.ran <- node.Run(ctx, duties...) }() // awaited by live
	b.mu.Lock()
	b.life = l
	b.mu.Unlock()
	b.s.trace.add(b.name, "started")
	return l, nil
}

func (b *box) join(id raft.ServerID) *wire.End {
	b.isCalled(id)
	end := b.s.net.Join(id, b.address)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = end
	return end
}

// silence ends the present process for all others: nothing it says from here
// on is heard. The node itself ends when its disk fails it.
func (b *box) silence(down time.Duration) {
	b.mu.Lock()
	l, end := b.life, b.end
	b.down = time.Now().Add(down)
	b.mu.Unlock()
	if l != nil {
		l.dead.Store(true)
	}
	if end != nil {
		_ = end.Close() // it has no error
	}
}

// fell has the process end that was silenced.
func (b *box) fell() {
	b.mu.Lock()
	l := b.life
	b.mu.Unlock()
	if l != nil {
		l.cancel()
	}
}

// kill is kill -9.
func (b *box) kill(down time.Duration) {
	b.silence(down)
	b.disk.Kill()
	b.fell()
}

// cut is a power cut.
func (b *box) cut(t flash.Tear, down time.Duration) {
	b.silence(down)
	b.disk.Cut(t)
	b.fell()
}

// stop ends the node as systemctl stop does, for a time.
func (b *box) stop(down time.Duration) {
	b.mu.Lock()
	l := b.life
	b.down = time.Now().Add(down)
	b.mu.Unlock()
	if l != nil {
		l.cancel()
	}
}

// trip has the power fail at the k-th write or sync from now.
func (b *box) trip(k int, t flash.Tear) {
	b.disk.Trip(k, func() {
		b.silence(0)
		select {
		case b.tripped <- t:
		default:
		}
	})
}

// heal ends all that is wrong with the box.
func (b *box) heal() {
	b.disk.Heal()
	b.s.net.Resume(b.address)
	b.turnClock(0, 0)
	b.slow(usualSync)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down, b.held = time.Time{}, false
	close(b.wake)
	b.wake = make(chan struct{})
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// usualSync is what a sync takes at most on a healthy disk.
const usualSync = 4 * time.Millisecond

// slow has syncs take up to a time.
func (b *box) slow(most time.Duration) {
	b.disk.Slow(func(string) time.Duration { return within(b.random, 0, most) })
}

// isSegment names the files of closed readings and frames.
func isSegment(name string) bool {
	return strings.HasPrefix(name, "segments/") && path.Base(name) != "."
}
