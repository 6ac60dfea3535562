package coap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// maxReadErrors is how often in a row reading the socket may fail before the
// server gives up.
const maxReadErrors = 100

// reader is the one goroutine that reads the UDP socket. All it holds is its own.
type reader struct {
	s     *Server
	desk  *desk
	in    []datagram
	from  source // of the datagram in hand
	peers *peers
}

func newReader(s *Server) *reader {
	r := &reader{s: s, desk: newDesk(s), peers: newPeers(s.cfg.Limits)}
	r.in = make([]datagram, readBatch)
	for i := range r.in {
		r.in[i].Buffers = [][]byte{make([]byte, maxDatagram)}
		if s.socket.anycast {
			r.in[i].OOB = make([]byte, controlSize)
		}
	}
	return r
}

// run reads until the socket's deadline is set or the socket is closed.
func (r *reader) run(ctx context.Context) error {
	failed := 0
	for {
		n, err := r.s.socket.batch.ReadBatch(r.in, 0)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			if failed++; failed > maxReadErrors {
				return fmt.Errorf("coap: read: %w", err)
			}
			continue
		}
		failed = 0
		r.turn(ctx, r.in[:n])
	}
}

// turn handles what one system call read.
func (r *reader) turn(ctx context.Context, in []datagram) {
	now := time.Now()
	r.desk.begin(now, len(in))
	for i := range in {
		r.handle(ctx, &in[i], now)
	}
	r.s.stats.peers.Store(int64(r.peers.len()))
	r.desk.end(ctx)
}

// handle charges the sender of a datagram for it and takes it to the desk.
func (r *reader) handle(ctx context.Context, d *datagram, now time.Time) {
	r.s.stats.datagrams.Add(1)
	addr, ok := d.Addr.(*net.UDPAddr)
	if !ok {
		return
	}
	from := netip.AddrPortFrom(addr.AddrPort().Addr().Unmap(), addr.AddrPort().Port())
	who, standing := r.peers.meet(from, d.N, now)
	if standing == flooding {
		r.s.stats.refused[reasonFlood].Add(1)
		return
	}
	r.from = source{
		peer: who, over: standing == over, from: from, datagram: d.Buffers[0][:d.N],
		addr: addr, control: r.control(d),
	}
	r.desk.datagram(ctx, &r.from)
}

// control is the control message that makes an answer leave from the address
// the datagram came to: on Linux the one that was received says it.
func (r *reader) control(d *datagram) []byte {
	if !r.s.socket.anycast || d.NN == 0 {
		return nil
	}
	return append([]byte(nil), d.OOB[:d.NN]...)
}
