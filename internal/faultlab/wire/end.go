package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// patience is how long raft waits for an answer of a peer, and dialing how long
// a call tries to reach one.
const (
	patience = 3 * time.Second
	dialing  = 2 * time.Second
)

var (
	errTimeout = errors.New("i/o timeout")
	errRefused = errors.New("connection refused")
	errClosed  = errors.New("the end is closed")
)

// End is one server's end of the network, for one life.
type End struct {
	net      *Net
	id       raft.ServerID
	address  raft.ServerAddress
	consumer chan raft.RPC
	life     context.Context // done when the end is closed
	closed   <-chan struct{} // life's
	end      context.CancelFunc
	once     sync.Once

	mu        sync.Mutex
	heartbeat func(raft.RPC)
	handler   transport.Handler
}

// Raft is transport.Network's.
func (e *End) Raft() raft.Transport { return requests{e} }

// Address is transport.Network's.
func (e *End) Address() raft.ServerAddress { return e.address }

// Serve is transport.Network's.
func (e *End) Serve(h transport.Handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handler = h
}

// Close is transport.Network's.
func (e *End) Close() error {
	e.once.Do(func() {
		e.end()
		e.net.mu.Lock()
		defer e.net.mu.Unlock()
		if e.net.ends[e.address] == e {
			delete(e.net.ends, e.address)
		}
	})
	return nil
}

// pass waits until a message has made its way: d of time, and all gates. It is
// false when either end is gone meanwhile.
func (e *End) pass(d time.Duration, gates []chan struct{}, to *End) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-to.closed:
			return false
		case <-e.closed:
			return false
		}
	}
	for _, gate := range gates {
		select {
		case <-gate:
		case <-to.closed:
			return false
		case <-e.closed:
			return false
		}
	}
	return true
}

// Call is transport.Network's.
func (e *End) Call(ctx context.Context, peer transport.Peer, method string, body []byte) ([]byte, error) {
	f := e.net.drawCall(route{e.address, peer.Address})
	switch {
	case f.to == nil:
		return nil, fmt.Errorf("%w: %s: %w", transport.ErrNotSent, peer.Address, errRefused)
	case f.lost && f.delay%2 == 0: // the peer is not even reached
		if err := e.sleep(ctx, dialing); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s", transport.ErrNotSent, peer.Address)
	case f.lost:
		<-ctx.Done()
		return nil, ctx.Err()
	case f.to.id != peer.ID:
		return nil, fmt.Errorf("%w: wanted %s at %s", transport.ErrWrongServer, peer.ID, peer.Address)
	}
	type reply struct {
		body []byte
		err  error
	}
	body = append([]byte(nil), body...)
	done := make(chan reply, 1)
	delay, serving := f.delay, ctx
	if f.late {
		delay += f.lateBy
	}
	if f.late || len(f.gates) > 0 { // it lies in a buffer and is read whatever its sender does
		serving = context.WithoutCancel(ctx)
	}
	go func() { // ends with the message, which the ends' lives bound
		if !e.pass(delay, f.gates, f.to) {
			return
		}
		answer, err := f.to.answer(serving, method, body)
		if !f.late && e.returns(f.to) {
			done <- reply{answer, err}
		}
	}()
	select {
	case r := <-done:
		return r.body, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.closed:
		return nil, errClosed
	}
}

// returns carries an answer back; false when it is lost.
func (e *End) returns(from *End) bool {
	f := e.net.draw(route{from.address, e.address})
	return !f.lost && e.pass(f.delay, f.gates, from)
}

// answer has the handler of a call answer it, within this end's life.
func (e *End) answer(ctx context.Context, method string, body []byte) ([]byte, error) {
	e.mu.Lock()
	h := e.handler
	e.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("%w: the node is starting", transport.ErrNotSent)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stop := context.AfterFunc(e.life, cancel)
	defer stop()
	b, err := h(ctx, method, body)
	return b, remote(err)
}

// remote is an error of a handler as its caller sees it.
func remote(err error) error {
	if err == nil {
		return nil
	}
	r := &transport.RemoteError{Text: err.Error()}
	var c transport.Coder
	if errors.As(err, &c) {
		r.Code = c.Code()
	}
	return r
}

func (e *End) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closed:
		return errClosed
	}
}
