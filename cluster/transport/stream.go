package transport

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// raftStream is raft's StreamLayer. raft dials by address alone, so the wanted
// server travels inside it: see named.
type raftStream TCP

func (s *raftStream) Accept() (net.Conn, error) {
	return (&connListener{t: (*TCP)(s), conns: s.raftConn}).Accept()
}
func (s *raftStream) Close() error   { return nil }
func (s *raftStream) Addr() net.Addr { return streamAddr(s.address) }

func (s *raftStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id, addr, ok := strings.Cut(string(address), "@")
	if !ok {
		return nil, fmt.Errorf("raft dials %q without a server: %w", address, os.ErrInvalid)
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(timeout, dialTimeout))
	defer cancel()
	return (*TCP)(s).dial(ctx, 'R', Peer{ID: raft.ServerID(id), Address: raft.ServerAddress(addr)})
}

type streamAddr raft.ServerAddress

func (a streamAddr) Network() string { return "tcp" }
func (a streamAddr) String() string  { return string(a) }

// named is raft's transport with targets of the form "ServerID@host:port".
type named struct{ *raft.NetworkTransport }

func nameTarget(id raft.ServerID, target raft.ServerAddress) raft.ServerAddress {
	return raft.ServerAddress(id) + "@" + target
}

func (n named) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	return n.NetworkTransport.AppendEntries(id, nameTarget(id, target), args, resp)
}

func (n named) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return n.NetworkTransport.RequestVote(id, nameTarget(id, target), args, resp)
}

func (n named) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return n.NetworkTransport.RequestPreVote(id, nameTarget(id, target), args, resp)
}

func (n named) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	return n.NetworkTransport.InstallSnapshot(id, nameTarget(id, target), args, resp, data)
}

func (n named) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return n.NetworkTransport.TimeoutNow(id, nameTarget(id, target), args, resp)
}
