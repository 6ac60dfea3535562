package transport

import (
	"context"

	"github.com/hashicorp/raft"
)

// Find tells where a server is now, given where it is thought to be. A wrong
// answer does no harm: connections name the server they want.
type Find func(raft.ServerID, raft.ServerAddress) raft.ServerAddress

// Finding is inner whose requests and calls go to where find says. The
// addresses of raft's configuration follow the servers only while there is a
// leader; when all servers have moved, there would never be one.
func Finding(inner Network, find Find) Network { return finding{inner, find} }

type finding struct {
	Network
	find Find
}

// Raft is Network's.
func (n finding) Raft() raft.Transport { return findingRaft{n.Network.Raft(), n.find} }

// Call is Network's.
func (n finding) Call(ctx context.Context, peer Peer, method string, body []byte) ([]byte, error) {
	peer.Address = n.find(peer.ID, peer.Address)
	return n.Network.Call(ctx, peer, method, body)
}
