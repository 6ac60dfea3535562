package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/gossip"
)

const (
	membersEvery  = time.Second
	memberTimeout = 10 * time.Second
	promoteBehind = 256 // entries a non-voter may lack when it becomes a voter
)

// membership is the duty that makes the raft configuration follow what gossip
// brings: new servers enter as non-voters and become voters when whole, one at
// a time; a server whose name came back with another identity is removed;
// addresses follow the servers.
func (n *Node) membership(ctx context.Context, lead *Lead) {
	tick := time.NewTicker(membersEvery)
	defer tick.Stop()
	for {
		if err := n.reviseMembers(ctx, lead); err != nil && ctx.Err() == nil {
			n.log.Warn("the members were not revised", "term", lead.Term, "err", err)
		}
		// Here, so that no server is added while the level rises.
		if err := n.raiseLevel(ctx, lead); err != nil && ctx.Err() == nil {
			n.log.Warn("the site's level was not raised", "term", lead.Term, "err", err)
		}
		if err := n.noteServers(ctx, lead); err != nil && ctx.Err() == nil {
			n.log.Warn("it was not noted how the servers stand", "term", lead.Term, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-n.gossip.Changed():
		case <-tick.C:
		}
	}
}

// reviseMembers makes at most one change of the configuration.
func (n *Node) reviseMembers(ctx context.Context, lead *Lead) error {
	now, err := n.servers()
	if err != nil {
		return err
	}
	servers := map[raft.ServerID]raft.Server{}
	byName := map[string]raft.Server{}
	for _, s := range now {
		servers[s.ID] = s
		byName[nodeName(s.ID)] = s
	}
	var refused error
	for _, p := range n.sitePeers() {
		id, addr := raft.ServerID(p.ID), raft.ServerAddress(p.Cluster)
		if !p.Alive || n.left.has(id) {
			continue
		}
		s, known := servers[id]
		switch {
		case n.reign.Load() == nil || ctx.Err() != nil:
			return ctx.Err()
		case !known:
			if err := n.mayJoin(ctx, raft.Server{ID: id, Address: addr}); errors.Is(err, errStaysOut) {
				continue // it says so itself
			} else if err != nil {
				refused = errors.Join(refused, err) // the others may
				continue
			}
			old, replaces := byName[p.Name]
			switch {
			case replaces && n.aliveServer(old.ID):
				return fmt.Errorf("two nodes are named %q: stop one or give it another --name and an empty --data", p.Name)
			case p.HasState: // it was removed: see judgePlace
				continue
			case replaces:
				if err := n.mayRemove(now, old.ID); err != nil {
					refused = errors.Join(refused, err)
					continue
				}
				n.log.Info("removes a server that came back as another", "node", p.Name, "id", old.ID)
				return n.revise(now, func() raft.IndexFuture { return n.raft.RemoveServer(old.ID, 0, memberTimeout) })
			}
			n.log.Info("adds a node", "node", p.Name, "id", id)
			return n.admitServer(now, raft.Server{ID: id, Address: addr, Suffrage: raft.Nonvoter})
		case s.Address != addr && taken(now, addr) != nil:
			// Two servers exchange addresses: raft takes no address twice.
			other := taken(now, addr)
			return n.admitServer(now, raft.Server{ID: other.ID, Address: nowhere(other.ID), Suffrage: other.Suffrage})
		case s.Address != addr:
			n.log.Info("a node moved", "node", p.Name, "address", addr)
			return n.admitServer(now, raft.Server{ID: id, Address: addr, Suffrage: s.Suffrage})
		case s.Suffrage == raft.Nonvoter && n.whole(ctx, s):
			n.log.Info("a node becomes a voter", "node", p.Name, "id", id)
			return n.admitServer(now, raft.Server{ID: id, Address: addr, Suffrage: raft.Voter})
		}
	}
	return refused
}

// taken is the server of a configuration that has an address, nil for none.
func taken(servers []raft.Server, addr raft.ServerAddress) *raft.Server {
	for i := range servers {
		if servers[i].Address == addr {
			return &servers[i]
		}
	}
	return nil
}

// nowhere is the address of a server of whose own another has taken possession.
// Its next one comes from gossip, as do those that connections are made to.
func nowhere(id raft.ServerID) raft.ServerAddress { return raft.ServerAddress("nowhere:" + id) }

// admitServer adds a server to a configuration, or changes what it says of one, unless
// that one has asked to leave.
func (n *Node) admitServer(now []raft.Server, s raft.Server) error {
	return n.revise(now, func() raft.IndexFuture {
		switch {
		case n.left.has(s.ID):
			return nil
		case s.Suffrage == raft.Voter:
			return n.raft.AddVoter(s.ID, s.Address, 0, memberTimeout)
		}
		return n.raft.AddNonvoter(s.ID, s.Address, 0, memberTimeout)
	})
}

// mayRemove refuses the removal of a server after which the voters that stay and
// are alive were no majority of the voters that stay.
func (n *Node) mayRemove(servers []raft.Server, id raft.ServerID) error {
	stay, alive := 0, 0
	for _, s := range servers {
		if s.ID == id || s.Suffrage != raft.Voter {
			continue
		}
		stay++
		if n.aliveServer(s.ID) {
			alive++
		}
	}
	if alive <= stay/2 {
		return fmt.Errorf("%w: of the %d voters that would stay %d are alive: bring the others back first", ErrNoMajority, stay, alive)
	}
	return nil
}

// whole reports that a server lacks neither entries nor segments.
func (n *Node) whole(ctx context.Context, s raft.Server) bool {
	h := n.hear(ctx, s)
	st := h.standing
	return h.fresh() && st.Missing == 0 && st.Applied > 0 && st.Applied+promoteBehind >= n.replica.appliedIndex()
}

// sitePeers are the peers of this site by name, then ID.
func (n *Node) sitePeers() []gossip.Peer {
	var peers []gossip.Peer
	for _, p := range n.gossip.Peers() {
		if p.Site == n.cfg.Site {
			peers = append(peers, p)
		}
	}
	sort.Slice(peers, func(i, j int) bool {
		if peers[i].Name != peers[j].Name {
			return peers[i].Name < peers[j].Name
		}
		return peers[i].ID < peers[j].ID
	})
	return peers
}

func (n *Node) aliveServer(id raft.ServerID) bool {
	for _, p := range n.gossip.Peers() {
		if p.ID == string(id) && p.Alive {
			return true
		}
	}
	return false
}

// Leave takes this node out of the site for good: it hands the lead over and
// asks the leader to remove it. The node is then to be stopped; its data
// directory will not start again. It is refused where the nodes that stay
// would have no majority.
func (n *Node) Leave(ctx context.Context) (err error) {
	n.leaving.Store(true) // it is not removed behind its back
	defer func() { n.leaving.Store(err == nil) }()
	n.handOver()
	deadline := time.Now().Add(leaderPatience)
	err = n.askToLeave(ctx, deadline)
	for errors.Is(err, ErrNotLeader) && time.Now().Before(deadline) { // its reign has not begun
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
		err = n.askToLeave(ctx, deadline)
	}
	if err != nil {
		return err
	}
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	n.id.Left = true
	return n.id.save(n.disk)
}

func (n *Node) askToLeave(ctx context.Context, deadline time.Time) error {
	to, err := n.awaitLeader(ctx, deadline, false)
	if err != nil {
		return err
	}
	if to.self {
		return n.removeServer(n.id.ID)
	}
	_, err = n.call(ctx, to.peer, callLeave, []byte(n.id.ID))
	return err
}

// removeServer removes a server that asked for it, unless the voters that stay
// and are alive were no majority of the voters that stay.
func (n *Node) removeServer(id raft.ServerID) error {
	if n.reign.Load() == nil {
		return ErrNotLeader
	}
	n.left.add(id) // from here on it is not added
	n.revising.Lock()
	defer n.revising.Unlock()
	servers, err := n.servers()
	if err == nil {
		err = n.mayRemove(servers, id)
	}
	if err != nil {
		n.left.forget(id)
		return err
	}
	err = n.raft.RemoveServer(id, 0, memberTimeout).Error()
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		n.left.forget(id)
		return ErrNotLeader // the lead was handed over just now
	}
	return err
}

// leavers are servers that asked to be removed: the leader does not add them
// again while they are still heard of.
type leavers struct {
	mu  sync.Mutex
	ids []raft.ServerID // the last maxLeavers
}

const maxLeavers = 64

func (l *leavers) add(id raft.ServerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, id)
	if len(l.ids) > maxLeavers {
		l.ids = slices.Delete(l.ids, 0, 1)
	}
}

func (l *leavers) forget(id raft.ServerID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = slices.DeleteFunc(l.ids, func(i raft.ServerID) bool { return i == id })
}

func (l *leavers) has(id raft.ServerID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.ids, id)
}

func (n *Node) voters() int {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return 0
	}
	v := 0
	for _, s := range future.Configuration().Servers {
		if s.Suffrage == raft.Voter {
			v++
		}
	}
	return v
}
