package coap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"skerry/coap/datagram"
)

// maxReadErrors is how often in a row reading the socket may fail before the
// server gives up.
const maxReadErrors = 100

// reader is the one goroutine that reads the UDP socket. All it holds is its own.
type reader struct {
	s     *Server
	desk  *desk
	in    *datagram.Receiver
	from  source // of the datagram in hand
	peers *peers
}

func newReader(s *Server) *reader {
	return &reader{s: s, desk: newDesk(s), in: datagram.NewReceiver(s.socket), peers: newPeers(s.cfg.Limits)}
}

// run reads until the socket's deadline is set or the socket is closed.
func (r *reader) run(ctx context.Context) error {
	failed := 0
	for {
		in, err := r.in.Receive()
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
		r.turn(ctx, in)
	}
}

// turn handles what one system call read.
func (r *reader) turn(ctx context.Context, in []datagram.Message) {
	now := time.Now()
	r.desk.begin(now, len(in))
	for i := range in {
		r.handle(ctx, &in[i], now)
	}
	r.s.stats.datagrams.Add(uint64(len(in)))
	r.s.stats.peers.Store(int64(r.peers.len()))
	r.desk.end(ctx)
}

// handle charges the sender of a datagram for it and takes it to the desk.
func (r *reader) handle(ctx context.Context, d *datagram.Message, now time.Time) {
	who, standing := r.peers.meet(d.Peer, len(d.Data), now)
	if standing == flooding {
		r.s.stats.refused[reasonFlood].Add(1)
		return
	}
	r.from = source{peer: who, over: standing == over, from: d.Peer, local: d.Local, datagram: d.Data}
	if d.Local.Group {
		r.desk.overhear(ctx, &r.from)
		return
	}
	r.desk.datagram(ctx, &r.from)
}
