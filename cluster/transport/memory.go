package transport

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Memory is a network inside one process whose links a test can cut. It works
// under testing/synctest.
type Memory struct {
	mu    sync.Mutex
	nodes map[raft.ServerAddress]*memoryNode
	cut   map[[2]raft.ServerAddress]bool // unordered pair, lower address first
	held  map[raft.ServerAddress]bool
	watch func(from, to raft.ServerAddress, method string)
}

// NewMemory returns a network with no nodes.
func NewMemory() *Memory {
	return &Memory{
		nodes: map[raft.ServerAddress]*memoryNode{},
		cut:   map[[2]raft.ServerAddress]bool{},
		held:  map[raft.ServerAddress]bool{},
	}
}

type memoryNode struct {
	net     *Memory
	id      raft.ServerID
	address raft.ServerAddress
	raft    *raft.InmemTransport
	mu      sync.Mutex
	handler Handler
}

// Join adds a node. An address that was closed may join again.
func (m *Memory) Join(id raft.ServerID, address raft.ServerAddress) Network {
	_, inner := raft.NewInmemTransportWithTimeout(address, 500*time.Millisecond)
	n := &memoryNode{net: m, id: id, address: address, raft: inner}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes[address] = n
	m.connect()
	return n
}

func pair(a, b raft.ServerAddress) [2]raft.ServerAddress {
	if b < a {
		a, b = b, a
	}
	return [2]raft.ServerAddress{a, b}
}

func (m *Memory) linked(a, b raft.ServerAddress) bool {
	return !m.cut[pair(a, b)] && !m.held[a] && !m.held[b]
}

// connect makes raft's links what cut and held say. The caller holds mu.
func (m *Memory) connect() {
	for a, x := range m.nodes {
		for b, y := range m.nodes {
			switch {
			case a == b:
			case m.linked(a, b):
				x.raft.Connect(b, y.raft)
			default:
				x.raft.Disconnect(b)
			}
		}
	}
}

// Cut ends (or, with up, restores) the link between two addresses.
func (m *Memory) Cut(a, b raft.ServerAddress, up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut[pair(a, b)] = !up
	m.connect()
}

// Isolate cuts a node from all others, or joins it again.
func (m *Memory) Isolate(a raft.ServerAddress, isolated bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[a] = isolated
	m.connect()
}

// memoryRaft refuses raft's requests to an address where another server is.
type memoryRaft struct {
	*raft.InmemTransport
	n *memoryNode
}

func (t memoryRaft) meets(id raft.ServerID, target raft.ServerAddress) error {
	t.n.net.mu.Lock()
	defer t.n.net.mu.Unlock()
	if to := t.n.net.nodes[target]; to != nil && to.id != id {
		return fmt.Errorf("%w: wanted %s at %s", ErrWrongServer, id, target)
	}
	return nil
}

// AppendEntries is raft.Transport's.
func (t memoryRaft) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if err := t.meets(id, target); err != nil {
		return err
	}
	return t.InmemTransport.AppendEntries(id, target, args, resp)
}

// RequestVote is raft.Transport's.
func (t memoryRaft) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if err := t.meets(id, target); err != nil {
		return err
	}
	return t.InmemTransport.RequestVote(id, target, args, resp)
}

// RequestPreVote is raft.WithPreVote's.
func (t memoryRaft) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.meets(id, target); err != nil {
		return err
	}
	return t.InmemTransport.RequestPreVote(id, target, args, resp)
}

// InstallSnapshot is raft.Transport's.
func (t memoryRaft) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if err := t.meets(id, target); err != nil {
		return err
	}
	return t.InmemTransport.InstallSnapshot(id, target, args, resp, data)
}

// TimeoutNow is raft.Transport's.
func (t memoryRaft) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	if err := t.meets(id, target); err != nil {
		return err
	}
	return t.InmemTransport.TimeoutNow(id, target, args, resp)
}

// Watch has f called, by the caller, just before each call that is carried. It
// may cut the link: the call is then carried, and its answer is not.
func (m *Memory) Watch(f func(from, to raft.ServerAddress, method string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watch = f
}

func (n *memoryNode) Raft() raft.Transport        { return memoryRaft{n.raft, n} }
func (n *memoryNode) Address() raft.ServerAddress { return n.address }

func (n *memoryNode) Serve(h Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handler = h
}

func (n *memoryNode) Close() error {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	if n.net.nodes[n.address] == n {
		delete(n.net.nodes, n.address)
		for _, other := range n.net.nodes {
			other.raft.Disconnect(n.address)
		}
	}
	n.raft.DisconnectAll()
	n.Serve(nil)
	return n.raft.Close()
}

// Call runs the peer's handler beside the caller, so that ctx ends the wait
// while the peer goes on. Over a link that was cut meanwhile the answer never
// comes, and nobody says so.
func (n *memoryNode) Call(ctx context.Context, peer Peer, method string, body []byte) ([]byte, error) {
	n.net.mu.Lock()
	to, linked := n.net.nodes[peer.Address], n.net.nodes[n.address] == n && n.net.linked(n.address, peer.Address)
	watch := n.net.watch
	n.net.mu.Unlock()
	if to == nil || !linked {
		return nil, fmt.Errorf("%w: %s", ErrNotSent, peer.Address)
	}
	if to.id != peer.ID {
		return nil, fmt.Errorf("%w: wanted %s at %s", ErrWrongServer, peer.ID, peer.Address)
	}
	to.mu.Lock()
	h := to.handler
	to.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("%w: the node is starting", ErrNotSent)
	}
	if watch != nil {
		watch(n.address, peer.Address, method)
	}
	type reply struct {
		body []byte
		err  error
	}
	done := make(chan reply, 1)
	go func() { // it ends when the handler does, which ctx bounds
		answer, err := h(ctx, method, append([]byte(nil), body...))
		done <- reply{answer, err}
	}()
	select {
	case r := <-done:
		n.net.mu.Lock()
		linked := n.net.linked(n.address, peer.Address)
		n.net.mu.Unlock()
		if !linked {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return r.body, remoteError(r.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
