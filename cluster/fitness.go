package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// leadPause is how long a leader that is not fit waits before it tries again
	// to hand the lead on.
	leadPause = 30 * time.Second
	leadBound = 10 * time.Second
	// lackPatience is how long a leader may lack rows before it hands the lead on:
	// most come from a peer sooner.
	lackPatience = 10 * time.Second
)

// fitness is what a leader remembers of its own: it leads on only with room on its
// disk, and with all rows, which it is to ship and to read.
type fitness struct {
	lacks  time.Time // since when rows are missing; zero for none
	handed time.Time // when it tried last to hand the lead on
}

// leaveLead hands the lead to a fitter voter, if there is one.
func (n *Node) leaveLead(ctx context.Context, f *fitness, list []heard) {
	lacks := n.replica.missingCount() > 0
	switch {
	case !lacks:
		f.lacks = time.Time{}
	case f.lacks.IsZero():
		f.lacks = time.Now()
	}
	var to raft.ServerID
	why := "room on its disk"
	switch {
	case time.Since(f.handed) < leadPause:
		return
	case n.room.get() != roomOK:
		to = n.fittest(list, func(s standing) bool { return s.Room == roomOK })
	case lacks && time.Since(f.lacks) >= lackPatience:
		why = "all rows"
		to = n.fittest(list, func(s standing) bool { return s.Room == roomOK && s.Missing == 0 })
	}
	if to == "" {
		return
	}
	f.handed = time.Now()
	n.log.Info("hands the lead to a node that has what this one lacks", "lacks", why, "node", nodeName(to))
	ctx, cancel := context.WithTimeout(ctx, leadBound)
	defer cancel()
	if err := n.handLeadOn(ctx, to); err != nil {
		n.log.Warn("the lead was not handed on", "err", err)
	}
}

// fittest is the voter, of the others that are as wished, that has applied most;
// "" for none.
func (n *Node) fittest(list []heard, wished func(standing) bool) raft.ServerID {
	var best heard
	for _, h := range list {
		if h.server.Suffrage == raft.Voter && h.server.ID != n.id.ID && h.fresh() && wished(h.standing) &&
			(best.at.IsZero() || h.standing.Applied > best.standing.Applied) {
			best = h
		}
	}
	return best.server.ID
}
