package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/transport"
)

const (
	// trustPause is between two rounds of asking.
	trustPause = 50 * time.Millisecond
	// trustCall bounds one round, where the profile's heartbeat is longer.
	trustCall = time.Second
)

// trust is what a starting node has to earn, and what it began with.
type trust struct {
	held   uint64 // the last index of its log and snapshots when it started
	damage string // why entries that it acknowledged may be missing; "" for none
}

// council is what the others answered in one round of asking.
type council struct {
	voters   int   // of the configuration, this node included where it is one
	answered int   // voters that answered, and this node where it is one
	leader   known // the leader of the newest term that answered; zero without one
	told     known // the most that anybody knows of this node
}

// majority: whatever the site holds of this node, one of those that answered
// knows it.
func (c *council) majority() bool { return c.answered > c.voters/2 }

// all: nobody is left who could know more.
func (c *council) all() bool { return c.majority() && c.answered == c.voters }

// beginApart has a node that was in a site before ask the others first.
func (n *Node) beginApart() error {
	last, err := n.logs.Log.LastIndex()
	if err != nil {
		return err
	}
	list, err := n.logs.Snapshots.List()
	if err != nil {
		return err
	}
	if last == 0 && len(list) == 0 {
		return nil // it voted for nobody, and holds nothing
	}
	if r := n.logs.Recovery(); r.Damaged {
		n.trust.damage = r.Reason
	}
	n.filter.Take(transport.Apart)
	return nil
}

// beginAlone lets a node in that has nobody to ask. The caller has started raft.
func (n *Node) beginAlone() error {
	n.trust.held = n.raft.LastIndex()
	n.started.Store(n.id.Generation)
	if n.filter.Stance() == transport.Whole {
		if n.id.Generation > 0 {
			return nil
		}
		return n.raiseGeneration()
	}
	servers, err := n.servers()
	if err != nil {
		return err
	}
	if len(servers) > 1 || (len(servers) == 1 && servers[0].ID != n.id.ID) {
		return nil
	}
	if n.trust.damage != "" {
		n.log.Error("the log is damaged, and this node has no other to bring back what is missing", "reason", n.trust.damage)
	}
	return n.becomeWhole()
}

// earnTrust lets a starting node take part. It first hears from the others
// whether its data directory is the newest of this server; then it counts this
// start and takes entries; and it votes when it holds what a leader held after
// the start. Without a leader it votes when all other voters know of no later
// start, or after the profile's patience a majority; unless its log is damaged:
// it may have acknowledged what only a leader can tell.
func (n *Node) earnTrust(ctx context.Context) {
	began := time.Now()
	var target known // the leader that is to be caught up with
	for n.filter.Stance() != transport.Whole {
		c := n.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		var err error
		if n.filter.Stance() == transport.Apart { // what is known later may be of this start
			err = n.trust.refuse(&c.told, n.generation())
		}
		alone := !c.leader.Leads && (c.all() || c.majority() && time.Since(began) >= n.profile.patience)
		switch {
		case err != nil:
		case n.filter.Stance() == transport.Apart && (alone || c.leader.Leads):
			if err = n.raiseGeneration(); err == nil {
				n.filter.Take(transport.Convalescent)
			}
			if n.trust.damage != "" {
				n.log.Warn("the log is damaged: this node neither votes nor leads until it holds again what the site has", "reason", n.trust.damage)
			}
		}
		if c.leader.Leads && c.leader.Term > target.Term && c.leader.Term >= n.raft.CurrentTerm() {
			target = c.leader
		}
		if err == nil && n.filter.Stance() == transport.Convalescent {
			held := n.filter.Agreed()
			caughtUp := target.Leads && held.Term == target.Term && held.Last >= target.Last
			if caughtUp || (alone && n.trust.damage == "") {
				err = n.becomeWhole()
			}
		}
		switch {
		case disk.IsFull(err): // it counts as down until there is room
			if pause(ctx, roomEvery) != nil {
				return
			}
		case err != nil:
			n.fail(err)
			return
		}
		if n.filter.Stance() != transport.Whole && pause(ctx, trustPause) != nil {
			return
		}
	}
}

// refuse is why a directory must not take part of which others know that much.
func (t *trust) refuse(told *known, generation uint64) error {
	switch {
	case told.Generation > generation:
		return fmt.Errorf("%w (this directory was started %d times, the site has seen start %d)", ErrOldCopy, generation, told.Generation)
	case told.Held > t.held && t.damage == "":
		return fmt.Errorf("%w (its log ends at entry %d, the site has seen it with entry %d)", ErrOldCopy, t.held, told.Held)
	}
	return nil
}

// becomeWhole counts the start, where that is still to do, and lets the node
// vote.
func (n *Node) becomeWhole() error {
	if n.filter.Stance() == transport.Apart {
		if err := n.raiseGeneration(); err != nil {
			return err
		}
	}
	if n.trust.damage != "" {
		if err := n.logs.Recovered(); err != nil {
			return err
		}
		n.log.Info("the log is whole again: this node votes")
	}
	n.filter.Take(transport.Whole)
	return nil
}

// ask asks all servers of the configuration, and all of the site that gossip
// knows, what they know of this node. It returns when a leader has answered, or
// all have or are late.
func (n *Node) ask(ctx context.Context) (c council) {
	ctx, cancel := context.WithTimeout(ctx, min(n.profile.heartbeat, trustCall))
	defer cancel()
	servers, err := n.servers()
	if err != nil {
		return c
	}
	voter := map[raft.ServerID]bool{}
	peers := map[raft.ServerID]transport.Peer{}
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			voter[s.ID] = true
		}
		peers[s.ID] = transport.Peer{ID: s.ID, Address: s.Address}
	}
	for _, p := range n.sitePeers() { // whose addresses may be newer
		if id := raft.ServerID(p.ID); p.Alive {
			peers[id] = transport.Peer{ID: id, Address: raft.ServerAddress(p.Cluster)}
		}
	}
	delete(peers, n.id.ID)
	c.voters = len(voter)
	if voter[n.id.ID] {
		c.answered++
	}
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
		if voter[a.from] {
			c.answered++
		}
		c.told.Generation, c.told.Held = max(c.told.Generation, a.Generation), max(c.told.Held, a.Held)
		if a.Leads && a.Term > c.leader.Term {
			c.leader = a.known
			return c
		}
	}
	return c
}

// askKnown asks one peer what it knows of this node. One of an earlier version
// knows nothing.
func (n *Node) askKnown(ctx context.Context, p transport.Peer) (k known, err error) {
	b, err := n.call(ctx, p, callKnown, []byte(n.id.ID))
	var remote *transport.RemoteError
	if errors.As(err, &remote) && strings.Contains(remote.Text, notKnown) {
		return known{}, nil
	}
	if err != nil {
		return known{}, err
	}
	err = json.Unmarshal(b, &k)
	return k, err
}
