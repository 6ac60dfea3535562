package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/gossip"
)

// whereaboutsFor is how long what gossip says of addresses is used.
const whereaboutsFor = 200 * time.Millisecond

// whereabouts are the servers' addresses as gossip has them.
type whereabouts struct {
	mu     sync.Mutex
	gossip gossip.Gossip // nil until it is open
	at     time.Time
	known  map[raft.ServerID]raft.ServerAddress
}

// begin gives the gossip to ask.
func (w *whereabouts) begin(g gossip.Gossip) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gossip = g
}

// find is a transport.Find.
func (w *whereabouts) find(id raft.ServerID, thought raft.ServerAddress) raft.ServerAddress {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gossip == nil {
		return thought
	}
	if w.known == nil || time.Since(w.at) > whereaboutsFor {
		w.at, w.known = time.Now(), map[raft.ServerID]raft.ServerAddress{}
		for _, p := range w.gossip.Peers() {
			if p.Alive && p.Cluster != "" {
				w.known[raft.ServerID(p.ID)] = raft.ServerAddress(p.Cluster)
			}
		}
	}
	if at, ok := w.known[id]; ok {
		return at
	}
	return thought
}
