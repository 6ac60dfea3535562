package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// MaxBody bounds the body of a call and of its answer, in bytes.
const MaxBody = 2 << 20

var (
	// ErrNotSent: the call did not reach the peer's handler at all.
	ErrNotSent = errors.New("the peer was not reached")
	// ErrWrongServer: another server answers at the peer's address. It wraps
	// ErrNotSent.
	ErrWrongServer = fmt.Errorf("%w: another server answers at its address", ErrNotSent)
)

// RemoteError is an error that a peer's handler returned: the peer was reached
// and says no.
type RemoteError struct {
	Code string // as returned by the handler's error, see Coder
	Text string
}

func (e *RemoteError) Error() string { return e.Text }

// Coder is an error with a word for its kind that survives the way back.
type Coder interface{ Code() string }

// Peer is another server: its identity and where it is thought to be.
type Peer struct {
	ID      raft.ServerID
	Address raft.ServerAddress
}

// Handler answers the calls of peers. The body is the handler's; the answer
// is the network's.
type Handler func(ctx context.Context, method string, body []byte) ([]byte, error)

// Network is one node's end of the site's network.
type Network interface {
	// Raft is the transport for hashicorp/raft.
	Raft() raft.Transport
	// Call asks a peer and waits for its answer. An error that is neither
	// ErrNotSent nor a *RemoteError leaves open whether the peer acted.
	Call(ctx context.Context, peer Peer, method string, body []byte) ([]byte, error)
	// Serve answers peers with h until Close. Calls before it are ErrNotSent to
	// their callers.
	Serve(h Handler)
	// Address is where the others reach this node.
	Address() raft.ServerAddress
	Close() error
}
