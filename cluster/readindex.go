package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// confirmTimeout bounds one round of asking the voters.
const confirmTimeout = 2 * time.Second

// readIndexes finds indexes at which a read is linearizable (Ongaro, Raft
// thesis, section 6.4): what a leader has applied whose term a majority
// confirms after the read began. Reads that arrive while a round is asked
// share the next one.
type readIndexes struct {
	n  *Node
	mu sync.Mutex
	// running is set while a round is asked; next gathers those who came too
	// late for it.
	running bool
	next    *round
}

type round struct {
	done  chan struct{}
	index uint64
	err   error
}

// index returns an index such that a state that has applied it holds every
// write acknowledged before the call. Errors: ErrNotLeader, ErrNoLeader,
// ErrClosed.
func (ri *readIndexes) index(ctx context.Context) (uint64, error) {
	ri.mu.Lock()
	if ri.next == nil {
		ri.next = &round{done: make(chan struct{})}
	}
	r := ri.next
	if !ri.running {
		if !ri.n.work.start(ri.ask) {
			ri.mu.Unlock()
			return 0, ErrClosed
		}
		ri.running = true
	}
	ri.mu.Unlock()
	select {
	case <-r.done:
		return r.index, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// ask runs rounds until nobody waits.
func (ri *readIndexes) ask() {
	for {
		ri.mu.Lock()
		r := ri.next
		ri.next = nil
		ri.running = r != nil
		ri.mu.Unlock()
		if r == nil {
			return
		}
		r.index, r.err = ri.n.confirm()
		close(r.done)
	}
}

// confirm notes what is applied, then asks a majority of the voters whether
// they still are in this term: no later term can then have had a leader
// before the asking began.
func (n *Node) confirm() (uint64, error) {
	reign := n.reign.Load()
	if reign == nil {
		return 0, ErrNotLeader
	}
	// A write is acknowledged after it is applied here, or it is of an earlier
	// term and was applied before the reign began: so what is applied is all
	// that was acknowledged. (raft's own commit index counts entries that no
	// state sees.)
	index := n.replica.appliedIndex()
	ctx, cancel := context.WithTimeout(context.Background(), confirmTimeout)
	defer cancel()
	return index, n.confirmTerm(ctx, reign.term, "")
}

// confirmTerm asks the voters whether they are in this term, which this node
// leads, until a majority says so; without is not asked and does not count.
// Errors: ErrNoLeader, ErrClosed.
func (n *Node) confirmTerm(ctx context.Context, term uint64, without raft.ServerID) error {
	servers, err := n.servers()
	if err != nil {
		return err
	}
	voters, asked, yes := 0, 0, 0
	replies := make(chan bool, len(servers))
	for _, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		switch s.ID {
		case without:
			continue
		case n.id.ID:
			if n.raft.CurrentTerm() == term {
				yes++
			}
			continue
		}
		if !n.work.start(func() {
			b, err := n.network.Call(ctx, transport.Peer{ID: s.ID, Address: s.Address}, callTerm, nil)
			replies <- err == nil && len(b) == 8 && binary.LittleEndian.Uint64(b) == term
		}) {
			return ErrClosed
		}
		asked++
	}
	for ; yes <= voters/2; asked-- {
		if asked <= 0 {
			return fmt.Errorf("%w: a majority did not confirm the term", ErrNoLeader)
		}
		select {
		case ok := <-replies:
			if ok {
				yes++
			}
		case <-ctx.Done():
			return fmt.Errorf("%w: a majority did not confirm the term in time", ErrNoLeader)
		}
	}
	return nil
}

// View returns a view at consistency c; it waits for what c promises.
// Errors: ErrNoLeader, ctx errors. Local never waits.
func (n *Node) View(ctx context.Context, c Consistency) (*View, error) {
	switch c {
	case Local:
		return &View{n}, nil
	case Leader:
		if n.reign.Load() != nil {
			return &View{n}, nil
		}
	}
	index, err := n.readIndex(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.replica.await(ctx, index); err != nil {
		return nil, err
	}
	return &View{n}, nil
}

// readIndex asks the leader, wherever it is.
func (n *Node) readIndex(ctx context.Context) (uint64, error) {
	deadline := time.Now().Add(leaderPatience)
	for {
		to, err := n.awaitLeader(ctx, deadline, false)
		if err != nil {
			return 0, err
		}
		index, err := n.indexOf(ctx, to)
		if err == nil {
			return index, nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%w (%w)", ErrNoLeader, err)
		}
		if err := pause(ctx, retryPause); err != nil {
			return 0, err
		}
	}
}

// indexOf is the read index of one leader. It does not wait for one that is
// silent when the next one is known.
func (n *Node) indexOf(ctx context.Context, to leaderInfo) (uint64, error) {
	if to.self {
		return n.reads.index(ctx)
	}
	ctx, stop := n.era.within(ctx, to.term)
	defer stop()
	b, err := n.call(ctx, to.peer, callReadIndex, nil)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("read index of %d bytes from %s", len(b), to.peer.ID)
	}
	return binary.LittleEndian.Uint64(b), nil
}
