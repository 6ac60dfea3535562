package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	dialTimeout     = 2 * time.Second
	prefaceTimeout  = 5 * time.Second
	raftTimeout     = 10 * time.Second
	raftPool        = 3
	idleConnections = 16 // kept to each peer for calls
	maxAccepting    = 64 // connections whose preface is being read
	codeHeader      = "Skerry-Error"
)

// TCP is a Network over one TCP port.
type TCP struct {
	id       raft.ServerID
	address  raft.ServerAddress
	listener net.Listener
	raft     *raft.NetworkTransport
	raftConn chan net.Conn
	httpConn chan net.Conn
	server   *http.Server
	client   *http.Client
	handler  atomic.Pointer[Handler]
	closed   chan struct{}
	once     sync.Once
	wg       sync.WaitGroup

	mu sync.Mutex
	// conns are the accepted connections and calls counts the handlers that
	// run; after Close neither grows.
	conns map[net.Conn]struct{}
	ended bool
	calls sync.WaitGroup
}

// ListenTCP binds listen (host:port, port 0 for any) for the server id. If
// advertise is not empty it is the host told to others.
func ListenTCP(id raft.ServerID, listen, advertise string, logger hclog.Logger) (*TCP, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("cluster address %s: %w: choose another with --cluster", listen, err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if advertise != "" {
		host = advertise
	}
	t := &TCP{
		id: id, address: raft.ServerAddress(net.JoinHostPort(host, port)), listener: l,
		raftConn: make(chan net.Conn), httpConn: make(chan net.Conn), closed: make(chan struct{}),
		conns: map[net.Conn]struct{}{},
	}
	t.raft = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: (*raftStream)(t), MaxPool: raftPool, Timeout: raftTimeout, MaxRPCsInFlight: 1, Logger: logger,
	})
	t.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			// The host of a call's URL is the ServerID in hex, its port says
			// nothing: the peer travels in the context.
			return t.dial(ctx, 'H', ctx.Value(peerKey{}).(Peer))
		},
		MaxIdleConnsPerHost: idleConnections, IdleConnTimeout: time.Minute, DisableCompression: true,
	}}
	t.server = &http.Server{Handler: http.HandlerFunc(t.serveCall), ReadHeaderTimeout: prefaceTimeout}
	t.wg.Go(t.accept)
	t.wg.Go(func() { _ = t.server.Serve(&connListener{t: t, conns: t.httpConn}) })
	return t, nil
}

type peerKey struct{}

// Raft, Address and Serve are Network's.
func (t *TCP) Raft() raft.Transport        { return named{t.raft} }
func (t *TCP) Address() raft.ServerAddress { return t.address }
func (t *TCP) Serve(h Handler)             { t.handler.Store(&h) }

// Close ends all connections and waits for the handlers of calls, whose
// contexts it ends.
func (t *TCP) Close() error {
	var err error
	t.once.Do(func() {
		close(t.closed)
		err = errors.Join(t.listener.Close(), t.raft.Close(), t.server.Close())
		t.raft.CloseStreams()
		t.client.CloseIdleConnections()
		t.closeAccepted()
		t.wg.Wait()
		t.calls.Wait()
	})
	return err
}

// Call is Network's.
func (t *TCP) Call(ctx context.Context, peer Peer, method string, body []byte) ([]byte, error) {
	ctx = context.WithValue(ctx, peerKey{}, peer)
	url := fmt.Sprintf("http://%x.%x/%s", string(peer.ID), string(peer.Address), method)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // never sent twice behind our back
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, err
	}
	if len(answer) > MaxBody {
		return nil, fmt.Errorf("answer to %s is over %d bytes", method, MaxBody)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusServiceUnavailable:
		return nil, fmt.Errorf("%w: %s", ErrNotSent, bytes.TrimSpace(answer))
	}
	return nil, &RemoteError{Code: resp.Header.Get(codeHeader), Text: strings.TrimSpace(string(answer))}
}

func (t *TCP) serveCall(w http.ResponseWriter, r *http.Request) {
	h := t.handler.Load()
	if h == nil {
		http.Error(w, "the node is starting", http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !t.beginCall() {
		http.Error(w, "the node is stopping", http.StatusServiceUnavailable)
		return
	}
	defer t.calls.Done()
	answer, err := (*h)(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), body)
	if err != nil {
		var c Coder
		if errors.As(err, &c) {
			w.Header().Set(codeHeader, c.Code())
		}
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	_, _ = w.Write(answer) // the caller sees a broken connection
}

// dial connects to peer and sends the preface. All its errors wrap ErrNotSent.
func (t *TCP) dial(ctx context.Context, kind byte, peer Peer) (net.Conn, error) {
	select {
	case <-t.closed:
		return nil, fmt.Errorf("%w: %w", ErrNotSent, net.ErrClosed)
	default:
	}
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "tcp", string(peer.Address))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if err := c.SetDeadline(time.Now().Add(prefaceTimeout)); err == nil {
		_, err = c.Write(append([]byte{kind, byte(len(peer.ID))}, peer.ID...))
		if err == nil {
			var ok [1]byte
			if _, err = io.ReadFull(c, ok[:]); err == nil && ok[0] != 0 {
				err = ErrWrongServer
			}
		}
		if err == nil {
			err = c.SetDeadline(time.Time{})
		}
		if err == nil {
			return c, nil
		}
		_ = c.Close()
		if errors.Is(err, ErrWrongServer) {
			return nil, fmt.Errorf("%w: wanted %s at %s", ErrWrongServer, peer.ID, peer.Address)
		}
		return nil, fmt.Errorf("%w: preface: %w", ErrNotSent, err)
	}
	_ = c.Close()
	return nil, ErrNotSent
}
