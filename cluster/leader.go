package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
	"skerry/fsm"
)

// leaderInfo is who leads, as this node believes.
type leaderInfo struct {
	term uint64
	self bool
	peer transport.Peer
}

// leader is who can take proposals now; ok is false when nobody is known, or
// this node leads and its reign has not begun.
func (n *Node) leader() (leaderInfo, bool) {
	if r := n.reign.Load(); r != nil {
		return leaderInfo{term: r.term, self: true}, true
	}
	term := n.raft.CurrentTerm()
	addr, id := n.raft.LeaderWithID()
	if id == "" || id == n.id.ID {
		return leaderInfo{}, false
	}
	return leaderInfo{term: term, peer: transport.Peer{ID: id, Address: addr}}, true
}

// awaitLeader waits for a leader until ctx is done, or until deadline unless
// patient.
func (n *Node) awaitLeader(ctx context.Context, deadline time.Time, patient bool) (leaderInfo, error) {
	if l, ok := n.leader(); ok {
		return l, nil
	}
	var timeout <-chan time.Time
	if !patient {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		timeout = t.C
	}
	for {
		changed := n.leadChanged.wait()
		if l, ok := n.leader(); ok {
			return l, nil
		}
		select {
		case <-changed:
		case <-timeout:
			return leaderInfo{}, ErrNoLeader
		case <-ctx.Done():
			return leaderInfo{}, ctx.Err()
		case <-n.closed:
			return leaderInfo{}, ErrClosed
		}
	}
}

// bornFresh is how long a log time told by the leader is used. Apply refuses
// a copy born 120 s ago.
const bornFresh = 20 * time.Second

// told is the last log time that a leader told this node.
type told struct {
	mu   sync.Mutex
	term uint64
	time fsm.LogTime
	at   time.Time
}

func (t *told) get(term uint64) (fsm.LogTime, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.time, t.term == term && time.Since(t.at) < bornFresh
}

func (t *told) set(term uint64, lt fsm.LogTime, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.term, t.time, t.at = term, lt, asked
}

// born is a log time that the leader told this node a short time ago.
func (n *Node) born(ctx context.Context, to leaderInfo) (fsm.LogTime, error) {
	if to.self {
		r := n.reign.Load()
		if r == nil || r.term != to.term {
			return 0, ErrNotLeader
		}
		return r.logTime(), nil
	}
	if lt, ok := n.told.get(to.term); ok {
		return lt, nil
	}
	ctx, stop := n.era.within(ctx, to.term)
	defer stop()
	asked := time.Now()
	b, err := n.call(ctx, to.peer, callLogTime, binary.LittleEndian.AppendUint64(nil, to.term))
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("log time of %d bytes from %s", len(b), to.peer.ID)
	}
	lt := fsm.LogTime(binary.LittleEndian.Uint64(b))
	n.told.set(to.term, lt, asked)
	return lt, nil
}

// watchLeader turns raft's observations into leadChanged.
func (n *Node) watchLeader(ctx context.Context) {
	ch := make(chan raft.Observation, 16)
	o := raft.NewObserver(ch, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	n.raft.RegisterObserver(o)
	defer n.raft.DeregisterObserver(o)
	// Who waits since before may have missed a leader that was found before.
	n.leadChanged.notify()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ch:
			if l, ok := n.leader(); ok {
				n.era.reach(l.term)
			}
			n.leadChanged.notify()
		}
	}
}
