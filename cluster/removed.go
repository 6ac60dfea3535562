package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// A server that its site has removed from the configuration may come back with all
// that it held: its card was replaced and is put back, or it was cut off while
// another machine took its name. What the site knew of its starts was dropped with
// it, so the leader never adds it again under its ServerID. It asks who leads, sets
// its data aside, and enters as a new server.

// placeEvery is how often a node that knows of no leader asks whether it is still
// in the configuration.
const placeEvery = 5 * time.Second

// errRemoved: the site goes on without this server.
var errRemoved = errors.New("the site has removed this server, and gone on without it")

// ErrOtherHistory: the site was restored from a snapshot or its bucket since, or
// is another one of the same name.
var ErrOtherHistory = errors.New("the data directory is of another history of this site, which was restored since or is another site of the same name: check --site and --join, or start with an empty --data, and the site brings its data to a new server")

// hasRemoved reports that the committed configuration, of this node's term as
// leader, is without a server. It was so before the caller has the term confirmed.
func (n *Node) hasRemoved(id raft.ServerID) bool {
	future := n.raft.GetConfiguration()
	if future.Error() != nil || future.Index() > n.raft.CommitIndex() {
		return false
	}
	for _, s := range future.Configuration().Servers {
		if s.ID == id {
			return false
		}
	}
	return true
}

// lineage is that of the site's history, hex; "" while it is not known.
func (n *Node) lineage() string {
	g, ok := n.replica.genesis()
	if !ok {
		return ""
	}
	return hex.EncodeToString(g.Lineage[:])
}

// judgePlace returns ErrQuarantined where the leader that answered has removed this
// server, which had its data when it asked: then what it holds counts nowhere. A
// leader adds no server that has data, so none has added it since.
func (n *Node) judgePlace(c *council) error {
	now := n.logEnd()
	switch {
	case !c.leader.Removed || n.leaving.Load(),
		c.lineage != "" && c.lineage != c.leader.Lineage,
		c.own.Last == 0 || c.own.Last != now.Last || c.own.LastTerm != now.LastTerm:
		return nil
	}
	return n.quarantine(fmt.Errorf("%w (as the leader of term %d says)", errRemoved, c.leader.Now))
}

// watchPlace asks again and again while this node knows of no leader.
func (n *Node) watchPlace(ctx context.Context) {
	for pause(ctx, placeEvery) == nil {
		if _, leader := n.raft.LeaderWithID(); leader != "" || !n.hasState() {
			continue
		}
		c := n.ask(ctx)
		if err := n.judgePlace(&c); err != nil && ctx.Err() == nil {
			n.fail(err)
			return
		}
	}
}
