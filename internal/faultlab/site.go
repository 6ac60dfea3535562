package faultlab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"skerry/cluster"
	"skerry/cluster/gossip"
	"skerry/internal/faultlab/wire"
)

const siteName = "lab"

// Bounds of a quiet time.
const (
	comeBack = 4 * time.Minute // for all nodes to be up, led and whole
	lookEach = 100 * time.Millisecond
)

// site is what a run is of.
type site struct {
	plan      Plan
	profile   string
	boxes     []*box
	victims   []*box // of the present epoch
	net       *wire.Net
	gossip    *gossip.Memory
	bucket    *bucket // nil for none
	truth     *truth
	histories histories
	trace     *trace
	counts    *tally // operations
	faults    *tally
	ran       time.Duration // of its own time
}

// tally counts by name.
type tally struct {
	mu sync.Mutex
	of map[string]int
}

func newTally() *tally { return &tally{of: map[string]int{}} }

func (t *tally) add(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.of[what]++
}

func newSite(p Plan, dir string) *site {
	s := &site{plan: p, net: wire.New(p.Seed), gossip: gossip.NewMemory(), trace: newTrace(), counts: newTally(), faults: newTally()}
	s.truth = newTruth(s)
	r := s.source("site")
	n := pick(r, 3, 3, 3, 3, 5)
	s.profile = pick(r, "sdcard", "sdcard", "wan", "ssd")
	if p.Mode == All && r.IntN(2) == 0 {
		s.bucket = newBucket(s, dir)
	}
	for i := range n {
		s.boxes = append(s.boxes, newBox(s, i))
	}
	return s
}

func (s *site) source(purpose string) *rand.Rand { return source(s.plan.Seed, purpose) }

// any is a node that runs, nil if none does.
func (s *site) any(r *rand.Rand) (*box, *life) {
	first := r.IntN(len(s.boxes))
	for i := range s.boxes {
		b := s.boxes[(first+i)%len(s.boxes)]
		if l := b.present(); l != nil {
			return b, l
		}
	}
	return nil, nil
}

// heal ends all faults.
func (s *site) heal() {
	s.net.Heal()
	if s.bucket != nil {
		s.bucket.heal()
	}
	for _, b := range s.boxes {
		b.heal()
	}
}

// settle waits until the whole site is well: every node up, one leader that all
// follow, all of them at the same index with the same digest and nothing missing.
func (s *site) settle(ctx context.Context) {
	begun, why := time.Now(), ""
	for time.Since(begun) < comeBack && ctx.Err() == nil {
		if why = s.unwell(); why == "" {
			return
		}
		sleep(ctx, lookEach)
	}
	if ctx.Err() == nil {
		s.truth.violation("the site is not well %s after all faults have ended: %s%s", comeBack, why, s.describe())
	}
}

// unwell says what is not well, "" for nothing.
func (s *site) unwell() string {
	var first cluster.Status
	for i, b := range s.boxes {
		l := b.present()
		if l == nil {
			return fmt.Sprintf("%s is down", b.name)
		}
		st := l.node.Status()
		s.truth.digest(b.name, st)
		if i == 0 {
			first = st
		}
		switch {
		case st.Leader == "" || st.Leader != first.Leader:
			return fmt.Sprintf("%s follows %q, %s %q", b.name, st.Leader, first.Node, first.Leader)
		case st.AppliedIndex != first.AppliedIndex || st.AppliedIndex == 0:
			return fmt.Sprintf("%s has applied %d, %s %d", b.name, st.AppliedIndex, first.Node, first.AppliedIndex)
		case !st.Ready || st.Missing > 0:
			return fmt.Sprintf("%s is ready: %t, and lacks %d cuts and frames", b.name, st.Ready, st.Missing)
		}
	}
	return ""
}

// describe tells how all nodes stand.
func (s *site) describe() string {
	text := ""
	for _, b := range s.boxes {
		l := b.present()
		if l == nil {
			b.mu.Lock()
			text += fmt.Sprintf("\n    %s is down: %v", b.name, b.why)
			b.mu.Unlock()
			continue
		}
		st := l.node.Status()
		text += fmt.Sprintf("\n    %s: %s of term %d, leader %q, applied %d of %d, last seq %d, missing %d, digest %s",
			b.name, st.State, st.Term, st.Leader, st.AppliedIndex, st.CommitIndex, st.LastSeq, st.Missing, st.Digest)
	}
	return text
}
