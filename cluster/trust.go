package cluster

import (
	"context"
	"fmt"
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
// start and takes entries; and it votes in all elections when it holds what a
// leader held after the start. Before that it votes only for what is at least as
// up to date as all that the others told it of, and in terms that none of them
// knew of yet: what it acknowledged, and whom it voted for, its directory may not
// know. One with a damaged log does not vote before at all.
func (n *Node) earnTrust(ctx context.Context) {
	began, waits := time.Now(), false
	e := electorate{heard: map[raft.ServerID]uint64{}}
	for n.filter.Stance() != transport.Whole {
		c := n.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		waited := time.Since(began)
		if err := n.refusal(&c, waited); err != nil {
			n.fail(err)
			return
		}
		enough := c.enough(waited, n.profile.patience)
		if !enough && !c.leader.Sure && waited >= n.profile.patience && c.majority() && !waits {
			waits = true
			n.log.Warn("waits for another voter: what the others hold does not show whether this directory is the newest of this node; start the one that is away",
				"answered", len(c.answered), "voters", len(c.voters), "goes on after", copyPatience)
		}
		switch err := n.takePart(&c, &e, enough); {
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

// refusal is why a node is not to take part, whatever it holds.
func (n *Node) refusal(c *council, waited time.Duration) error {
	if err := n.judgePlace(c); err != nil {
		return err
	}
	if n.filter.Stance() == transport.Apart && c.foreign && len(c.answers) == 0 && waited >= n.profile.patience {
		return ErrOtherHistory
	}
	return nil
}

// takePart takes the next steps that an answer of the others allows.
func (n *Node) takePart(c *council, e *electorate, enough bool) error {
	if n.filter.Stance() == transport.Apart { // what is known later may be of this start
		if err := n.trust.refuse(&c.told, n.generation()); err != nil {
			return err
		}
		if !enough && !c.leader.Sure {
			return nil
		}
		if err := n.raiseGeneration(); err != nil {
			return err
		}
		n.filter.Take(transport.Convalescent)
		if n.trust.damage != "" {
			n.log.Warn("the log is damaged: this node neither votes nor leads until it holds again what the site has", "reason", n.trust.damage)
		}
	}
	sound := n.trust.damage == ""
	if enough && sound {
		n.filter.VoteAbove(e.floor(c))
	}
	switch {
	case sound && n.raft.State() == raft.Leader, // elected above the floor
		sound && enough && c.earlier, // nobody can say more
		e.caughtUp(c, n.filter.Agreed(), n.raft.CurrentTerm()):
		return n.becomeWhole()
	}
	return nil
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
