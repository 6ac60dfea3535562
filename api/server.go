package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of a connection. A long answer moves its own write deadline.
const (
	maxConns          = 1024 // more wait in the kernel's backlog
	maxHeader         = 64 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 2 * answerTimeout // a wait for a view or outcome and its answer
	idleTimeout       = 2 * time.Minute
	stopTimeout       = 5 * time.Second // for requests in hand when the server stops
)

// Server serves a handler on one TCP address.
type Server struct {
	listener net.Listener
	server   *http.Server
	stop     context.CancelFunc // ends the answers that have no end
}

// stoppingKey is of the value of a request's context that tells long answers
// to end.
type stoppingKey struct{}

// stopping is closed when the server that serves a request is about to stop;
// nil where nothing tells.
func stopping(ctx context.Context) <-chan struct{} {
	if stop, ok := ctx.Value(stoppingKey{}).(context.Context); ok {
		return stop.Done()
	}
	return nil
}

// Listen binds an address; port 0 picks a free one. It serves nothing before
// Run.
func Listen(addr string, h http.Handler, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("http address %s is taken: stop what listens there, or give another --http: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("http address %s: %w", addr, err)
	}
	stop, cancel := context.WithCancel(context.Background())
	return &Server{
		stop:     cancel,
		listener: netutil.LimitListener(l, maxConns),
		server: &http.Server{
			Handler: h, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
			BaseContext: func(net.Listener) context.Context {
				return context.WithValue(context.Background(), stoppingKey{}, stop)
			},
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}, nil
}

// Addr is the address bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx is done, gives the requests in hand a moment to end,
// and returns nil when all have.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(s.listener) }()
	select {
	case err := <-ended:
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	s.stop()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := s.server.Shutdown(stop); err != nil {
		// Clients that do not end are cut.
		_ = s.server.Close()
	}
	<-ended
	return nil
}

// Close frees the address and cuts all connections. It ends Run.
func (s *Server) Close() error {
	s.stop()
	return errors.Join(s.server.Close(), ignoreClosed(s.listener.Close()))
}

// ignoreClosed drops the error of closing twice.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
