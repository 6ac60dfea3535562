package coap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"skerry/coap/datagram"
	"skerry/fsm"
)

// drainTimeout is how long a server that stops waits for what is on its way.
const drainTimeout = 3 * time.Second

// Server answers devices on one UDP address, and at further doors. No goroutine
// outlives Run.
type Server struct {
	cfg       Config
	log       *slog.Logger
	socket    *datagram.Conn // nil without plain CoAP
	doors     doors
	intake    *intake
	observers *observers
	blocks    *blocks
	changes   changes
	groups    *groups  // nil where multicast is not heard
	leisure   *leisure // nil where multicast is not heard
	ids       counter
	stats     counters
	diary     diary

	offer  func(context.Context, fsm.Command, func(fsm.Result, error))
	landed landing
	chunks chunks

	work  sync.WaitGroup // loads on their way and slow reads
	slow  chan struct{}  // a place for each slow read at work
	boxes sync.Pool      // of *outbox
}

// Listen binds the addresses of cfg, so that a taken port is an error before anything runs.
func Listen(cfg Config) (*Server, error) {
	fallback := DefaultConfig()
	if cfg.Limits == (Limits{}) {
		cfg.Limits = fallback.Limits
	}
	if cfg.Logger == nil {
		cfg.Logger = fallback.Logger
	}
	if cfg.Now == nil {
		cfg.Now = fallback.Now
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, intake: newIntake(cfg.Limits),
		slow: make(chan struct{}, slowReads), offer: offererOf(cfg.Store),
	}
	if cfg.Heir {
		s.intake.inherits = time.Now().Add(doubtedFor)
	}
	s.observers = newObservers(s)
	s.blocks = newBlocks()
	s.landed.ready = make(chan struct{}, 1)
	s.boxes.New = func() any { return newOutbox(s) }
	s.ids.last.Store(rand.Uint32())
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open binds the addresses.
func (s *Server) open() (err error) {
	if s.cfg.Addr != "" {
		if s.socket, err = datagram.Listen(s.cfg.Addr); err != nil {
			return fmt.Errorf("coap: %w", err)
		}
	}
	if s.cfg.Multicast {
		s.leisure, s.groups = newLeisure(s), newGroups(s)
		s.groups.join()
	}
	return s.openDoors()
}

// Addr is the address that plain CoAP is bound to, nil for none.
func (s *Server) Addr() *net.UDPAddr {
	if s.socket == nil {
		return nil
	}
	return s.socket.Addr()
}

// Run serves until ctx is done and what was on its way is answered, at most 3 s
// later. It returns nil for such a stop, and the cause of any other.
func (s *Server) Run(ctx context.Context) error {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, maxDoors)
	var beside sync.WaitGroup
	beside.Go(func() { s.sweep(working) })
	over := make(chan struct{}) // closed when no load is on its way
	beside.Go(func() { s.land(working, over) })
	beside.Go(func() { s.observers.run(working) })
	if s.groups != nil {
		s.groups.run(working, &beside)
	}
	s.runDoors(ctx, working, func(err error) { failed <- err; stop() })
	err := s.read(ctx, working)
	stop()
	s.doors.gate.close()

	late := time.AfterFunc(drainTimeout, cancel)
	s.work.Wait()
	late.Stop()
	cancel()
	close(over)
	beside.Wait()
	err = errors.Join(err, s.closeDoors())
	close(failed)
	for cause := range failed {
		err = errors.Join(err, cause)
	}
	return err
}

// read reads the UDP socket until ctx is done.
func (s *Server) read(ctx, working context.Context) error {
	if s.socket == nil {
		<-ctx.Done()
		return nil
	}
	defer context.AfterFunc(ctx, s.stopReading)()
	s.log.Info("coap serves", "addr", s.Addr().String())
	if s.socket.Buffer() < datagram.ReceiveBuffer {
		s.log.Warn("the kernel keeps few datagrams for coap while it is busy, and drops the rest: raise net.core.rmem_max",
			"bytes", s.socket.Buffer(), "wanted", datagram.ReceiveBuffer)
	}
	return newReader(s).run(working)
}

// stopReading ends the reader in its wait. It fails only on a closed socket,
// which ends the reader too.
func (s *Server) stopReading() { _ = s.socket.UDP().SetReadDeadline(time.Unix(1, 0)) }

// Close releases the addresses. It may be called after Listen or Run, and again.
func (s *Server) Close() error {
	err := s.closeDoors()
	if s.socket != nil {
		err = errors.Join(err, s.socket.Close())
	}
	if s.groups != nil {
		err = errors.Join(err, s.groups.close())
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("coap: close: %w", err)
	}
	return nil
}
