package cluster

import (
	"time"

	"github.com/hashicorp/raft"

	"skerry/fsm"
)

// ErrLogGoesOn is of a node whose log is another leader's behind a snapshot.
var ErrLogGoesOn = errLogGoesOn

// Diverge has the node's state differ from the others'.
func (n *Node) Diverge() {
	r := n.replica
	r.mu.Lock()
	defer r.mu.Unlock()
	op, body := fsm.Encode(fsm.CancelTaskCommand{ID: "none"})
	if _, err := r.state.Apply(r.index, 1, fsm.AppendEntry(nil, fsm.Header{Op: op}, body)); err != nil {
		panic(err)
	}
}

// AppendForNothing has a leader append entries and waits for none of them.
func (n *Node) AppendForNothing(entries int) {
	for range entries {
		n.raft.Apply([]byte("nothing"), time.Second)
	}
}

// MayRemove is nil where the site may do without a server.
func (n *Node) MayRemove(id raft.ServerID) error {
	servers, err := n.servers()
	if err != nil {
		return err
	}
	return n.mayRemove(servers, id)
}
