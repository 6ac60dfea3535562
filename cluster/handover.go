package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

const (
	leaveHandover = 5 * time.Second
	// resignTimeout bounds what a node that cannot go on does for the others.
	resignTimeout = 500 * time.Millisecond
	// transferSlack is added to what a transfer of the lead may take until it
	// counts as stuck.
	transferSlack = time.Second
)

// errTransferStuck: hashicorp/raft takes no entries any more while it leads,
// since it believes for good that it hands the lead over (its issue 696).
var errTransferStuck = errors.New("a transfer of the lead never ended: the node must be started again")

// handOver gives the lead to another voter, if there is one, within a bound.
func (n *Node) handOver() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveHandover)
	defer cancel()
	if err := n.handLeadOn(ctx, ""); err != nil {
		n.log.Warn("the lead was not handed over", "err", err)
	}
}

// handLeadOn gives the lead to the voter to, or to the one that is closest
// where to is "". It returns nil when this node does not lead any more, and at
// the latest when ctx is done or after the time of an election. A node that
// does not lead, or is the only voter, has nothing to give.
func (n *Node) handLeadOn(ctx context.Context, to raft.ServerID) error {
	if n.raft.State() != raft.Leader || n.voters() < 2 {
		return nil
	}
	var future raft.Future
	if to == "" {
		future = n.raft.LeadershipTransfer()
	} else {
		s, err := n.voter(to)
		if err != nil {
			return err
		}
		future = n.raft.LeadershipTransferToServer(s.ID, s.Address)
	}
	// raft answers within its own bound, but where its main loop hangs.
	done := make(chan error, 1)
	if !n.work.start(func() { done <- future.Error() }) {
		return ErrClosed
	}
	t := time.NewTimer(n.transferBound())
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return errors.New("it took too long")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// voter is a voter of the latest configuration.
func (n *Node) voter(id raft.ServerID) (raft.Server, error) {
	future := n.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return raft.Server{}, err
	}
	for _, s := range future.Configuration().Servers {
		if s.ID == id && s.Suffrage == raft.Voter {
			return s, nil
		}
	}
	return raft.Server{}, fmt.Errorf("%s is no voter of this site", id)
}

// transferBound is how long raft may say that a transfer is in progress: it
// waits for an election, then for the answer of the server it chose.
func (n *Node) transferBound() time.Duration {
	return n.profile.election + transport.TimeoutNowTimeout + transferSlack
}

// transfers notes since when raft has been saying that a transfer of the lead
// is in progress.
type transfers struct {
	mu    sync.Mutex
	since time.Time // zero when it last took an entry
}

// noteTransfer looks at what raft answered to a request that needs a leader,
// and ends a node that would refuse all of them for good.
func (n *Node) noteTransfer(err error) {
	n.transfers.mu.Lock()
	defer n.transfers.mu.Unlock()
	switch since := n.transfers.since; {
	case !errors.Is(err, raft.ErrLeadershipTransferInProgress) || n.raft.State() != raft.Leader:
		n.transfers.since = time.Time{}
	case since.IsZero():
		n.transfers.since = time.Now()
	case time.Since(since) > n.transferBound():
		n.fail(errTransferStuck)
	}
}

// resign has another voter elected, so that the others need not find out by its
// silence that this node cannot go on. It asks nothing of raft's main loop,
// which may hang in a write to the disk. One is told, since two that stand at
// once may get half of the votes each.
func (n *Node) resign() {
	if n.raft.State() != raft.Leader {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), resignTimeout)
	defer cancel()
	for _, s := range n.heirs(ctx) {
		told := make(chan error, 1)
		if !n.work.start(func() { told <- n.filter.CallElection(n.id.ID, s) }) {
			return
		}
		select {
		case err := <-told:
			if err == nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// heirs are the other voters that answer, those first that hold most.
func (n *Node) heirs(ctx context.Context) []raft.Server {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	type heir struct {
		server  raft.Server
		applied uint64
		err     error
	}
	ctx, cancel := context.WithTimeout(ctx, resignTimeout/2)
	defer cancel()
	answers := make(chan heir, len(future.Configuration().Servers))
	asked := 0
	for _, s := range future.Configuration().Servers {
		if s.ID == n.id.ID || s.Suffrage != raft.Voter {
			continue
		}
		if n.work.start(func() {
			h := heir{server: s}
			var b []byte
			var st standing
			if b, h.err = n.call(ctx, transport.Peer{ID: s.ID, Address: s.Address}, callStanding, nil); h.err == nil {
				h.err = json.Unmarshal(b, &st)
			}
			h.applied = st.Applied
			answers <- h
		}) {
			asked++
		}
	}
	var heirs []heir
	for range asked {
		if h := <-answers; h.err == nil {
			heirs = append(heirs, h)
		}
	}
	slices.SortFunc(heirs, func(a, b heir) int { return cmp.Compare(b.applied, a.applied) })
	list := make([]raft.Server, 0, len(heirs))
	for _, h := range heirs {
		list = append(list, h.server)
	}
	return list
}
