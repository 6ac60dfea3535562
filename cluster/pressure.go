package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"skerry/fsm"
)

const spaceEvery = time.Second // between two looks at the servers' reports

// pressure is whether the leader refuses what would fill the disks.
type pressure struct{ on atomic.Bool }

// fills tells which commands grow with what devices send. All others go on
// when the disks are full: members, deletions, cuts and marks among them.
func fills(op fsm.Op) bool { return keyed(op) || op == fsm.OpPutDocument }

// refuses is why the leader does not take a command, nil where it does.
func (n *Node) refuses(op fsm.Op) error {
	if fills(op) && n.pressure.on.Load() {
		return ErrDiskFull
	}
	return nil
}

// mindSpace is the duty that keeps the site within its disks: it refuses
// readings while no majority has room, hands the lead to a node that is fitter, and
// drops what the site is not to keep.
func (n *Node) mindSpace(ctx context.Context, lead *Lead) {
	defer n.pressure.on.Store(false) // the next leader judges anew
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	var fit fitness
	for {
		heard := n.reports()
		full := noMajority(heard)
		if full != n.pressure.on.Swap(full) {
			if full {
				n.log.Warn("readings are refused: no majority of the nodes has room on its disk")
			} else {
				n.log.Info("readings are taken again: a majority of the nodes has room")
			}
		}
		if !full {
			n.leaveLead(ctx, &fit, heard)
		}
		if err := n.makeSpace(ctx, lead, heard); err != nil && ctx.Err() == nil {
			n.log.Warn("nothing was dropped", "term", lead.Term, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reports are the last answers of the servers, this node's own as of now.
func (n *Node) reports() []heard {
	list := append([]heard(nil), n.survey.all()...)
	for i := range list {
		if list[i].server.ID == n.id.ID {
			list[i].standing, list[i].at = n.standing(), time.Now()
		}
	}
	return list
}

// noMajority reports that some voters have no room and those that have are no
// majority. One that does not answer counts as without: if it is up, it will say.
func noMajority(list []heard) bool {
	voters, room, short := 0, 0, 0
	for _, h := range list {
		if h.server.Suffrage != raft.Voter {
			continue
		}
		voters++
		switch {
		case !h.at.IsZero() && h.standing.Room != roomOK:
			short++
		case h.fresh():
			room++
		}
	}
	return short > 0 && room <= voters/2
}
