package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// copyPatience is how long a starting node waits for voters that may know that its
// directory is an older copy, where nothing speaks against one, before a majority's
// word is enough. A person who puts an image back is to have all others up: then no
// wait is needed. With one lost for good the site is to come back by itself.
const copyPatience = 10 * time.Minute

// council is what the others answered in one round of asking.
type council struct {
	self    raft.ServerID // this node
	own     logEnd        // of this node's log
	lineage string        // of this node's history, "" while it is not known
	config  uint64        // index of the newest configuration that this node knows to be committed
	within  bool          // this node is in that one, as far as it knows
	answers map[raft.ServerID]known
	leader  known // the leader of the newest term that answered; zero without one
	told    known // the most that anybody knows of this node
	earlier bool  // one of an earlier version answered, which does not know what to tell
	foreign bool  // a leader of another history answered; what one of that says does not count

	// What follows is of all answers; see weigh.
	voters   map[raft.ServerID]bool   // of the newest configuration, this node included where it is one
	answered map[raft.ServerID]uint64 // the terms of the other voters that answered
	lost     map[raft.ServerID]bool   // voters in whose place another server is: their disks are gone
	end      logEnd                   // the most up to date of the other voters'
}

// majority counts this node, where it is a voter.
func (c *council) majority() bool {
	n := len(c.answered)
	if c.voters[c.self] {
		n++
	}
	return n > len(c.voters)/2
}

// safe: whatever majority this node was one of, another one of it has answered.
// So one of those that answered knows what this node acknowledged, if the site
// acknowledged it, and the term of every leader that it voted for.
func (c *council) safe() bool { return len(c.answered) >= len(c.voters)-len(c.voters)/2 }

// spent: as many disks are lost as a site survives, so this node's is not another one.
func (c *council) spent() bool { return len(c.lost) > 0 && len(c.lost) >= (len(c.voters)-1)/2 }

// enough reports whether the answers are enough to take part without a leader. A
// majority is that counts this node where no other disk can have been lost; or,
// after the profile's patience, when the logs show that all of it stopped together:
// then nothing came after what they hold, or the directory is a copy of that very
// moment.
func (c *council) enough(waited, patience time.Duration) bool {
	switch {
	case c.safe(), c.majority() && c.spent():
		return true
	case !c.majority() || waited < patience:
		return false
	}
	return c.own.isNear(c.end) || waited >= copyPatience
}

// electorate is what a starting node has learned of elections that it may have
// voted in before, and of the leader that it is to catch up with.
type electorate struct {
	heard  map[raft.ServerID]uint64 // the term of each voter when it answered first
	closed bool                     // enough were heard: a later term is of after the start
	target known                    // the leader
}

// term is the newest in which this node may have voted before it started.
func (e *electorate) term() (newest uint64) {
	for term := range maps.Values(e.heard) {
		newest = max(newest, term)
	}
	return newest
}

// floor takes what a council says, and returns above what to vote.
func (e *electorate) floor(c *council) transport.Floor {
	if !e.closed {
		for id, term := range c.answered {
			if _, ok := e.heard[id]; !ok {
				e.heard[id] = term
			}
		}
		e.closed = c.safe()
	}
	return transport.Floor{Term: e.term(), LogTerm: c.end.LastTerm, LogIndex: c.end.Last}
}

// caughtUp reports whether the log agrees with all that a leader held when it
// answered: one in whose term a majority without this node is, or who was elected
// above the floor.
func (e *electorate) caughtUp(c *council, agreed transport.Agreed, current uint64) bool {
	l := c.leader
	above := len(e.heard) > 0 && l.Now > e.term()
	if l.Leads && (l.Sure || above) && l.Now > e.target.Now && l.Now >= current {
		e.target = l
	}
	return e.target.Leads && agreed.Term == e.target.Now && agreed.Last >= e.target.Last
}

// ask asks all servers of the configuration, and all of the site that gossip
// knows, what they know of this node. It returns when a leader has answered that a
// majority confirms, or all have or are late.
func (n *Node) ask(ctx context.Context) (c council) {
	ctx, cancel := context.WithTimeout(ctx, min(n.profile.heartbeat, trustCall))
	defer cancel()
	servers, err := n.servers()
	if err != nil {
		return c
	}
	c = council{self: n.id.ID, own: n.logEnd(), lineage: n.lineage(), answers: map[raft.ServerID]known{}}
	index, committed := n.replica.configurations.known()
	c.config, c.within = index, committed == nil || has(committed, n.id.ID)
	defer func() { c.weigh(servers) }()
	peers := map[raft.ServerID]transport.Peer{}
	for _, s := range servers {
		peers[s.ID] = transport.Peer{ID: s.ID, Address: s.Address}
	}
	for _, p := range n.sitePeers() { // whose addresses may be newer
		if id := raft.ServerID(p.ID); p.Alive {
			peers[id] = transport.Peer{ID: id, Address: raft.ServerAddress(p.Cluster)}
		}
	}
	delete(peers, n.id.ID)
	type answer struct {
		from raft.ServerID
		known
		err error
	}
	answers := make(chan answer, len(peers))
	asked := 0
	for id, p := range peers {
		if n.work.start(func() {
			a := answer{from: id}
			a.known, a.err = n.askKnown(ctx, p)
			answers <- a
		}) {
			asked++
		}
	}
	for range asked {
		a := <-answers
		if a.err != nil {
			continue
		}
		if c.take(a.from, &a.known); c.leader.Sure && !c.leader.Removed {
			return c
		}
	}
	return c
}

// take notes one answer.
func (c *council) take(from raft.ServerID, k *known) {
	if c.lineage != "" && k.Lineage != "" && k.Lineage != c.lineage {
		c.foreign = c.foreign || k.Sure
		return
	}
	if k.Leads && k.Config != 0 && k.Config < c.config {
		return // it leads an old copy, or did lead once
	}
	c.answers[from] = *k
	c.earlier = c.earlier || k.earlier
	c.told.Generation, c.told.Held = max(c.told.Generation, k.Generation), max(c.told.Held, k.Held)
	if k.Leads && k.Now > c.leader.Now {
		c.leader = *k
	}
}

// weigh counts the answers by the newest configuration that is known: an older
// directory, or one that lags, has an older one. A server is taken out of it only
// when it left or its disk is gone.
func (c *council) weigh(servers []raft.Server) {
	newest := c.own
	for _, k := range c.answers {
		if newest.isBefore(k.logEnd) && len(k.Servers) > 0 {
			newest, servers = k.logEnd, k.Servers
		}
	}
	c.voters, c.answered, c.lost = map[raft.ServerID]bool{}, map[raft.ServerID]uint64{}, map[raft.ServerID]bool{}
	within := map[raft.ServerID]bool{}
	for _, s := range servers {
		within[s.ID] = true
		if s.Suffrage == raft.Voter {
			c.voters[s.ID] = true
		}
	}
	for from, k := range c.answers {
		if c.voters[from] {
			c.answered[from] = k.Now
			if c.end.isBefore(k.logEnd) {
				c.end = k.logEnd
			}
		}
		for id := range c.voters {
			if !within[from] && !k.earlier && id != c.self && nodeName(id) == nodeName(from) {
				c.lost[id] = true
			}
		}
	}
}

// askKnown asks one peer what it knows of this node. One of an earlier version
// knows nothing.
func (n *Node) askKnown(ctx context.Context, p transport.Peer) (k known, err error) {
	b, err := n.call(ctx, p, callKnown, []byte(n.id.ID))
	var remote *transport.RemoteError
	if errors.As(err, &remote) && strings.Contains(remote.Text, notKnown) {
		return known{earlier: true}, nil
	}
	if err != nil {
		return known{}, err
	}
	err = json.Unmarshal(b, &k)
	return k, err
}
