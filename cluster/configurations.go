package cluster

import (
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// configurations is what a server knows to be committed of its site's
// configurations. hashicorp/raft v1.7.3 tells the latest one alone, committed or
// not, and never its index.
type configurations struct {
	mu      sync.Mutex
	index   uint64        // of the newest that is known to be committed
	servers []raft.Server // of that one; nil where only the index is known
	found   uint64        // index of the last one in the log when raft read it
}

// commit notes one that is committed.
func (c *configurations) commit(index uint64, servers []raft.Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if index > c.index || (index == c.index && c.servers == nil) {
		c.index, c.servers = index, slices.Clone(servers)
	}
}

// find takes the entries of the log, in order, when raft starts. A leader appends a
// configuration when the one before is committed, so of two in a log the first is.
func (c *configurations) find(l *raft.Log) {
	if l.Type != raft.LogConfiguration {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.Index > c.found {
		if c.found > c.index {
			c.index, c.servers = c.found, nil
		}
		c.found = l.Index
	}
}

// known is the newest that is known to be committed.
func (c *configurations) known() (index uint64, servers []raft.Server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.index, c.servers
}

// noteConfiguration is told of raft's own entries when they are committed.
func (r *replica) noteConfiguration(l *raft.Log) {
	if l.Type == raft.LogConfiguration {
		r.configurations.commit(l.Index, raft.DecodeConfiguration(l.Data).Servers)
	}
}

// noteSnapshot notes the newest snapshot's configuration.
func (n *Node) noteSnapshot() error {
	list, err := n.logs.Snapshots.List()
	if err == nil && len(list) > 0 {
		n.replica.configurations.commit(list[0].ConfigurationIndex, list[0].Configuration.Servers)
	}
	return err
}

// has reports whether a server is one of servers.
func has(servers []raft.Server, id raft.ServerID) bool {
	return slices.ContainsFunc(servers, func(s raft.Server) bool { return s.ID == id })
}

// revise makes a change of the configuration if that is still servers, and waits
// until it is committed; a change that is nil is none. Changes take turns: while this
// node leads all are its own.
func (n *Node) revise(servers []raft.Server, change func() raft.IndexFuture) error {
	n.revising.Lock()
	defer n.revising.Unlock()
	now, err := n.servers()
	if err != nil || !slices.Equal(now, servers) {
		return err // the next round sees it
	}
	if future := change(); future != nil {
		return future.Error()
	}
	return nil
}
