package cluster

import (
	"context"
	"time"

	"skerry/fsm"
)

// tickEvery is how late at most, on a site where nothing else is stored, a key
// or a registration ends whose time is over: so seldom that the entries for it
// are no wear.
const tickEvery = time.Minute

// tick is the duty that moves log time when something ends by it and nothing
// else was stored since.
func (n *Node) tick(ctx context.Context, lead *Lead) {
	timer := time.NewTicker(tickEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		r := n.reign.Load()
		if r == nil || n.takes(fsm.OpTick) != nil {
			continue
		}
		if due := n.replica.nextDue(); due == 0 || due > r.logTime() {
			continue
		}
		if _, err := lead.Propose(ctx, fsm.Tick{}); err != nil && ctx.Err() == nil {
			n.log.Warn("log time was not moved", "term", lead.Term, "err", err)
		}
	}
}

func (r *replica) nextDue() fsm.LogTime {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state.NextDue()
}
