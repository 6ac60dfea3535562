package coap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"skerry/coap/secure"
	"skerry/coap/stream"
)

// sessionsCheck is how often the sessions of devices that were revoked are
// looked for. What such a session sends or would get finds out by itself.
const sessionsCheck = time.Second

// maxDoors is how many listeners there are at most.
const maxDoors = 3

// Doors are the ways in beside plain CoAP over UDP. An empty address is none.
type Doors struct {
	DTLS string // coaps://, over UDP
	TCP  string // coap+tcp://, where peers prove nothing
	TLS  string // coaps+tcp://, for devices with certificates

	// Certificate is the gateway's own, which TLS needs and DTLS may have. A
	// device shows one that ClientCAs vouch for.
	Certificate *tls.Certificate
	ClientCAs   *x509.CertPool

	Secure secure.Limits // the defaults when zero
	Stream stream.Limits // of each of both; the defaults when zero
}

// doors are Doors at work.
type doors struct {
	secure *secure.Listener // nil for none
	tcp    *stream.Listener
	tls    *stream.Listener
	gate   gate
	work   sync.WaitGroup // what runDoors began

	// What guests borrow for a message.
	desks   sync.Pool // of *desk
	buffers sync.Pool // of *[sessionBuffer]byte

	mu   sync.Mutex
	open map[*guest]struct{} // with a pass
}

// openDoors binds the addresses of s.cfg.Doors. What is open after an error is
// closed by Close.
func (s *Server) openDoors() (err error) {
	d := &s.doors
	d.open = map[*guest]struct{}{}
	d.desks.New = func() any { return newDesk(s) }
	d.buffers.New = func() any { return new([sessionBuffer]byte) }
	c := &s.cfg.Doors
	if c.DTLS != "" {
		d.secure, err = secure.Listen(secure.Config{
			Addr: c.DTLS, PSK: s.secretOf, Certificate: c.Certificate, ClientCAs: c.ClientCAs, Admit: s.admits,
			Failed: s.shakeFailed, Limits: c.Secure, Logger: s.log,
		})
		if err != nil {
			return fmt.Errorf("coap: %w", err)
		}
	}
	if c.TCP != "" {
		d.tcp, err = stream.Listen(stream.Config{Addr: c.TCP, Accept: s.acceptStream, Limits: c.Stream, Logger: s.log})
		if err != nil {
			return fmt.Errorf("coap: %w", err)
		}
	}
	if c.TLS != "" {
		if c.Certificate == nil {
			return errors.New("coap: TLS needs a certificate, and one of who vouches for devices")
		}
		d.tls, err = stream.Listen(stream.Config{
			Addr: c.TLS, Certificate: c.Certificate, ClientCAs: c.ClientCAs, Admit: s.admits,
			Accept: s.acceptStream, Limits: c.Stream, Logger: s.log,
		})
		if err != nil {
			return fmt.Errorf("coap: %w", err)
		}
	}
	return nil
}

// runDoors begins to serve sessions. When ctx is done no more come in; those
// that there are may still be answered until working is done or closeDoors ends
// them. failed is told of a door that cannot go on.
func (s *Server) runDoors(ctx, working context.Context, failed func(error)) {
	d := &s.doors
	run := func(ctx context.Context, serve func(context.Context) error) {
		d.work.Go(func() {
			if err := serve(ctx); err != nil {
				failed(err)
			}
		})
	}
	if d.secure != nil {
		run(ctx, d.secure.Run)
		d.work.Go(func() { s.acceptSessions(ctx, working) })
	}
	for _, l := range []*stream.Listener{d.tcp, d.tls} {
		if l != nil {
			run(working, l.Run)
		}
	}
	d.work.Go(func() { s.endRevoked(ctx) })
}

// closeDoors ends all sessions, releases the addresses and waits for what
// runDoors began. It may be called again.
func (s *Server) closeDoors() error {
	d := &s.doors
	var errs []error
	if d.secure != nil {
		errs = append(errs, d.secure.Close())
	}
	for _, l := range []*stream.Listener{d.tcp, d.tls} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	d.work.Wait()
	return errors.Join(errs...)
}

// DoorAddrs are the addresses that the doors are bound to; nil for none.
func (s *Server) DoorAddrs() (dtls, tcp, tls net.Addr) {
	d := &s.doors
	if d.secure != nil {
		dtls = d.secure.Addr()
	}
	if d.tcp != nil {
		tcp = d.tcp.Addr()
	}
	if d.tls != nil {
		tls = d.tls.Addr()
	}
	return dtls, tcp, tls
}

// count adds what there is of sessions.
func (d *doors) count(st *Stats) {
	if d.secure != nil {
		c := d.secure.Stats()
		st.Sessions, st.Handshakes, st.HandshakesLost = c.Sessions, c.Completed, c.Failed
	}
	for _, l := range []*stream.Listener{d.tcp, d.tls} {
		if l != nil {
			st.Connections += l.Stats().Connections
		}
	}
}

// note adds a guest whose pass is to be looked at; forget takes it out.
func (d *doors) note(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[g] = struct{}{}
}

func (d *doors) forget(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, g)
}

// endRevoked closes the sessions whose pass was lost, while they are silent.
func (s *Server) endRevoked(ctx context.Context) {
	tick := time.NewTicker(sessionsCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.doors.mu.Lock()
		list := slices.Collect(maps.Keys(s.doors.open))
		s.doors.mu.Unlock()
		for _, g := range list {
			if !g.pass.valid() {
				g.close()
			}
		}
	}
}
