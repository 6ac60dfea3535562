package cluster

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/fsm"
)

// reign is one term in which this node leads and has applied everything of
// the terms before.
type reign struct {
	term  uint64
	base  fsm.LogTime // the state's log time when the reign began
	start time.Time   // with its monotonic reading
	wall  stampClock
}

// stamp is what an entry is stamped with as Received.
func (r *reign) stamp(wall time.Time) time.Time { return r.wall.stamp(wall, time.Now()) }

// logTime is the site's clock: it runs as the leader's monotonic clock does,
// so that no step of a wall clock reaches it.
func (r *reign) logTime() fsm.LogTime {
	return r.base + fsm.LogTime(time.Since(r.start)/time.Microsecond)
}

// barrierTimeout bounds one try to apply everything of earlier terms.
const barrierTimeout = 5 * time.Second

// election is what raft's notifications say. raft blocks until one is taken,
// so they are taken at once and folded: every change ends the term in hand.
type election struct {
	mu      sync.Mutex
	leads   bool
	changes int
	changed signal
}

func (e *election) watch(ctx context.Context, notify <-chan bool, lost func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case leads := <-notify:
			e.mu.Lock()
			e.leads = leads
			e.changes++
			e.mu.Unlock()
			if !leads {
				lost() // after e.leads, which a reign looks at when it has begun
			}
			e.changed.notify()
		}
	}
}

func (e *election) read() (leads bool, changes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leads, e.changes
}

// runDuties runs duties while this node leads, until ctx is done. Every change
// ends the duties in hand before new ones start.
func (n *Node) runDuties(ctx context.Context, duties []Duty) {
	seen := 0
	stop := func() {}
	defer func() { stop() }()
	for {
		changed := n.election.changed.wait()
		if leads, changes := n.election.read(); changes != seen {
			seen = changes
			stop()
			n.reign.Store(nil)
			stop = func() {}
			if leads {
				stop = n.startTerm(ctx, changes, duties)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// startTerm begins a reign and its duties in the background; stop ends them
// and waits. The lead was won with the given change of the election.
func (n *Node) startTerm(ctx context.Context, won int, duties []Duty) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		r := n.beginReign(ctx, won)
		if r == nil {
			return
		}
		n.log.Info("leads", "term", r.term)
		lead := &Lead{Term: r.term, n: n}
		if err := n.begin(ctx, lead); err != nil {
			n.log.Warn("the site's first command was not stored", "term", r.term, "err", err)
		}
		for _, duty := range duties {
			wg.Go(func() { duty(ctx, lead) })
		}
	})
	return func() { cancel(); wg.Wait() }
}

// beginReign returns once everything of earlier terms is applied here, nil if
// the lead is lost before.
func (n *Node) beginReign(ctx context.Context, won int) *reign {
	for ctx.Err() == nil {
		term := n.raft.CurrentTerm()
		err := n.raft.Barrier(barrierTimeout).Error()
		n.noteTransfer(err)
		if err != nil {
			if n.raft.State() != raft.Leader || pause(ctx, retryPause) != nil {
				return nil
			}
			continue
		}
		if n.raft.CurrentTerm() != term || n.raft.State() != raft.Leader {
			return nil
		}
		r := &reign{term: term, base: n.replica.logTime(), start: time.Now()}
		n.reign.Store(r)
		// A loss that was noticed before the store took nothing away: look
		// again after it. One that comes later takes this reign away.
		if _, changes := n.election.read(); changes != won || ctx.Err() != nil {
			n.reign.CompareAndSwap(r, nil)
			return nil
		}
		n.era.reach(r.term)
		n.leadChanged.notify()
		return r
	}
	return nil
}

// begin gives a new site its lineage, secret and settings.
func (n *Node) begin(ctx context.Context, lead *Lead) error {
	if _, ok := n.replica.genesis(); ok {
		return nil
	}
	g := &fsm.Genesis{Site: n.cfg.Site, CutRows: n.profile.cutRows, CutBytes: n.profile.cutBytes, WindowBytes: n.profile.windowBytes}
	if _, err := rand.Read(g.Lineage[:]); err != nil {
		return err
	}
	if _, err := rand.Read(g.Secret[:]); err != nil {
		return err
	}
	_, err := lead.Propose(ctx, g)
	return err
}
