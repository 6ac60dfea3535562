package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
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

// Close ends all connections and waits for what was started.
func (t *TCP) Close() error {
	var err error
	t.once.Do(func() {
		close(t.closed)
		err = errors.Join(t.listener.Close(), t.raft.Close(), t.server.Close())
		t.client.CloseIdleConnections()
		t.wg.Wait()
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
	if resp.StatusCode != http.StatusOK {
		return nil, &RemoteError{Code: resp.Header.Get(codeHeader), Text: strings.TrimSpace(string(answer))}
	}
	return answer, nil
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

func (t *TCP) accept() {
	slots := make(chan struct{}, maxAccepting)
	for {
		c, err := t.listener.Accept()
		if err != nil {
			select {
			case <-t.closed:
				return
			case <-time.After(50 * time.Millisecond): // out of file descriptors, say
				continue
			}
		}
		select {
		case slots <- struct{}{}:
		case <-t.closed:
			_ = c.Close()
			return
		}
		t.wg.Go(func() {
			defer func() { <-slots }()
			t.greet(c)
		})
	}
}

// greet reads a connection's preface and passes it on, or closes it.
func (t *TCP) greet(c net.Conn) {
	kind, err := t.readPreface(c)
	if err != nil {
		_ = c.Close()
		return
	}
	to := t.httpConn
	if kind == 'R' {
		to = t.raftConn
	}
	select {
	case to <- c:
	case <-t.closed:
		_ = c.Close()
	}
}

func (t *TCP) readPreface(c net.Conn) (byte, error) {
	if err := c.SetDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		return 0, err
	}
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, err
	}
	id := make([]byte, head[1])
	if _, err := io.ReadFull(c, id); err != nil {
		return 0, err
	}
	if head[0] != 'R' && head[0] != 'H' {
		return 0, fmt.Errorf("preface of unknown kind %q", head[0])
	}
	if raft.ServerID(id) != t.id {
		_, err := c.Write([]byte{1})
		return 0, errors.Join(ErrWrongServer, err)
	}
	if _, err := c.Write([]byte{0}); err != nil {
		return 0, err
	}
	return head[0], c.SetDeadline(time.Time{})
}

// connListener is the net.Listener of one kind of connection.
type connListener struct {
	t     *TCP
	conns chan net.Conn
}

func (l *connListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.t.closed:
		return nil, net.ErrClosed
	}
}

func (l *connListener) Close() error   { return nil }
func (l *connListener) Addr() net.Addr { return l.t.listener.Addr() }

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
