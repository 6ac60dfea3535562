package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/gossip"
	"skerry/cluster/transport"
)

const bootstrapEvery = 250 * time.Millisecond

// joinSite brings a node without raft state into a site: it begins a new site
// together with the others that were configured to, or waits until the leader
// of an existing one adds it. It returns when the node has raft state.
func (n *Node) joinSite(ctx context.Context) {
	if n.hasState() { // perhaps only since gossip began
		n.announce()
		n.letIn(n.entered)(ctx)
		return
	}
	n.log.Info("waits for the site", "bootstrap-expect", n.cfg.BootstrapExpect, "join", n.cfg.Join)
	said := ""
	tick := time.NewTicker(bootstrapEvery)
	defer tick.Stop()
	for !n.hasState() {
		err := n.tryBootstrap(ctx)
		if why := n.tooOld(); why != "" {
			err = errors.New(why)
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			n.log.Warn("the site cannot begin yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	n.announce()
	n.letIn(n.entered)(ctx)
}

// entered notes, durably, that this server has been in the site. It waits for
// room on a full disk.
func (n *Node) entered(ctx context.Context) {
	for {
		err := n.noteEntry()
		if !disk.IsFull(err) {
			if err != nil {
				n.fail(err)
			}
			return
		}
		if pause(ctx, segmentPause) != nil {
			return
		}
	}
}

func (n *Node) noteEntry() error {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	if n.id.InSite {
		return nil
	}
	id := n.id
	id.InSite = true
	if err := id.save(n.disk); err != nil {
		return err
	}
	n.id.InSite = true // the other fields are read without the lock
	return nil
}

// hasState reports that this node's raft log is not empty.
func (n *Node) hasState() bool { return n.raft.LastIndex() > 0 }

// announce tells the others by gossip how this node stands. What is told last is
// the newest.
func (n *Node) announce() {
	n.announcing.Lock()
	defer n.announcing.Unlock()
	if err := n.gossip.Update(n.selfPeer()); err != nil {
		n.log.Warn("gossip was not updated", "err", err)
	}
}

func (n *Node) selfPeer() gossip.Peer {
	return gossip.Peer{
		ID: string(n.id.ID), Name: n.cfg.Name, Site: n.cfg.Site, Cluster: string(n.network.Address()),
		HTTP: n.cfg.HTTP, CoAP: n.cfg.CoAP, HasState: n.raft != nil && n.hasState(), Version: n.cfg.Version,
		Level: uint32(n.replica.siteLevel()),
	}
}

// founders are the nodes that are to begin the site: the first BootstrapExpect
// by name of those alive. It is nil while there are too few, while any peer of
// the site has state, or while this node has not reached those it was told to
// join.
func (n *Node) founders() []raft.Server {
	if n.id.Replaces != "" {
		return nil // the site exists
	}
	var servers []raft.Server
	alone := true
	for _, p := range n.gossip.Peers() {
		if p.Site != n.cfg.Site {
			continue
		}
		if p.HasState {
			return nil
		}
		if !p.Alive {
			continue
		}
		alone = alone && p.ID == string(n.id.ID)
		servers = append(servers, raft.Server{ID: raft.ServerID(p.ID), Address: raft.ServerAddress(p.Cluster)})
	}
	if len(servers) < n.cfg.BootstrapExpect || (alone && len(n.cfg.Join) > 0) {
		return nil
	}
	sort.Slice(servers, func(i, j int) bool { return servers[i].ID < servers[j].ID })
	return servers[:n.cfg.BootstrapExpect]
}

// tryBootstrap begins the site if this node is the first of its founders and
// all of them pledge. What was pledged once is asked for again, whoever else
// has come since.
func (n *Node) tryBootstrap(ctx context.Context) error {
	set := n.pledged()
	if set == nil {
		set = n.founders()
	}
	if len(set) == 0 || set[0].ID != n.id.ID {
		return nil
	}
	if err := n.pledge(set); err != nil {
		return err
	}
	body, err := json.Marshal(set)
	if err != nil {
		return err
	}
	for _, s := range set[1:] {
		if _, err := n.call(ctx, transport.Peer{ID: s.ID, Address: s.Address}, callPledge, body); err != nil {
			return fmt.Errorf("%s does not pledge: %w", nodeName(s.ID), err)
		}
	}
	err = n.raft.BootstrapCluster(raft.Configuration{Servers: set}).Error()
	if err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return err
	}
	n.log.Info("begins the site", "nodes", len(set))
	return nil
}

func (n *Node) pledged() []raft.Server {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	return n.id.Pledge
}

// pledge agrees, durably and once, to begin the site with exactly set.
func (n *Node) pledge(set []raft.Server) error {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	if n.id.Pledge != nil {
		if !slices.Equal(n.id.Pledge, set) {
			return fmt.Errorf("%s agreed to begin the site with other nodes: if one of those will not come back, start all nodes with empty data directories", n.cfg.Name)
		}
		return nil
	}
	id := n.id
	id.Pledge = set
	if err := id.save(n.disk); err != nil {
		return err
	}
	n.id.Pledge = set
	return nil
}

func (n *Node) servePledge(body []byte) error {
	var set []raft.Server
	if err := json.Unmarshal(body, &set); err != nil {
		return err
	}
	if !slices.ContainsFunc(set, func(s raft.Server) bool { return s.ID == n.id.ID }) {
		return fmt.Errorf("%s is not in the set it is asked to begin the site with", n.cfg.Name)
	}
	if n.hasState() {
		return fmt.Errorf("%s is in a site already", n.cfg.Name)
	}
	return n.pledge(set)
}
