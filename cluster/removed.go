package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// A server that its site has removed from the configuration may come back with all
// that it held: its card was replaced and is put back, or it was cut off while
// another machine took its name. What the site knew of its starts was dropped with
// it, so the leader never adds it again under its ServerID. It asks who leads, sets
// its data aside, and enters as a new server.

const (
	// placeEvery is how often a node that knows of no leader asks whether it is
	// still in the configuration.
	placeEvery = 5 * time.Second
	// aloneEvery is how often one that is alone asks whom it hears of.
	aloneEvery = time.Second
)

// errRemoved: the site goes on without this server.
var errRemoved = errors.New("the site has removed this server, and gone on without it")

// ErrOtherHistory: the site was restored from a snapshot or its bucket since, or
// is another one of the same name.
var ErrOtherHistory = errors.New("the data directory is of another history of this site, which was restored since or is another site of the same name: check --site and --join, or start with an empty --data, and the site brings its data to a new server")

// hasRemoved reports that this node, which leads, knows of no configuration with a
// server: neither the committed one nor the latest.
func (n *Node) hasRemoved(id raft.ServerID) bool {
	_, committed := n.replica.configurations.known()
	latest, err := n.servers()
	return err == nil && committed != nil && !has(committed, id) && !has(latest, id)
}

// lineage is that of the site's history, hex; "" while it is not known.
func (n *Node) lineage() string {
	g, ok := n.replica.genesis()
	if !ok {
		return n.lineageBefore
	}
	return hex.EncodeToString(g.Lineage[:])
}

// noteLineage writes the history's lineage into the identity: a directory without a
// snapshot would not know it at its next start.
func (n *Node) noteLineage() error {
	lineage := n.lineage()
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	if lineage == n.id.Lineage {
		return nil
	}
	id := n.id
	id.Lineage = lineage
	if err := id.save(n.disk); err != nil {
		return err
	}
	n.id.Lineage = lineage
	return nil
}

// removed reports that the leader that answered has removed this server: then what it
// holds counts nowhere. Another one that still has it in its configuration does not
// know yet, or it is the leader who is of an old copy.
func (c *council) removed() bool {
	switch {
	case !c.leader.Removed, c.lineage != "" && c.lineage != c.leader.Lineage,
		c.leader.Config == c.config && c.within: // and so that leader's is another one
		return false
	}
	for _, k := range c.answers {
		if has(k.Servers, c.self) {
			return false
		}
	}
	return true
}

// judgePlace returns ErrQuarantined where this server had its data when it asked, and
// was removed. A leader adds no server that has data, so none has added it since.
func (n *Node) judgePlace(c *council) error {
	if c.own.Last == 0 || n.leaving.Load() || !c.removed() {
		return nil
	}
	n.filter.Mute() // it acknowledges nothing from here on
	if now := n.logEnd(); now.Last != c.own.Last || now.LastTerm != c.own.LastTerm {
		return fmt.Errorf("the leader of term %d has removed this server and another has added it: it must be started again", c.leader.Now)
	}
	return n.quarantine(fmt.Errorf("%w (as the leader of term %d says)", errRemoved, c.leader.Now))
}

// watchPlace asks again and again while this node knows of no leader, or is alone.
func (n *Node) watchPlace(ctx context.Context) {
	for {
		_, leader := n.raft.LeaderWithID()
		wait, err := placeEvery, error(nil)
		switch {
		case !n.hasState():
		case n.onlyServer():
			wait, err = aloneEvery, n.judgeAlone(ctx)
		case leader == "":
			c := n.ask(ctx)
			err = n.judgePlace(&c)
		}
		if err != nil && ctx.Err() == nil {
			n.fail(err)
			return
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// judgeAlone asks whom this node hears of, which is the only server as far as it
// knows. One of a site that has grown since holds a newer configuration: then this
// directory is a copy of before. It says so from then on: what it acknowledged
// meanwhile is in it alone.
func (n *Node) judgeAlone(ctx context.Context) error {
	index, _ := n.replica.configurations.known()
	for _, p := range n.sitePeers() {
		if raft.ServerID(p.ID) == n.id.ID || !p.Alive || !p.HasState {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, trustCall)
		k, err := n.askKnown(ctx, transport.Peer{ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Cluster)})
		cancel()
		if err != nil || k.Lineage != n.lineage() || k.Config <= index {
			continue
		}
		why := "it is of when this node was the only one, and " + p.Name + " holds what the site has decided since"
		return errors.Join(fmt.Errorf("%w (%s)", ErrOldCopy, why), n.noteOldCopy(why))
	}
	return nil
}

func (n *Node) noteOldCopy(why string) error {
	n.filter.Mute()
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	id := n.id
	id.OldCopy = why
	return id.save(n.disk)
}
