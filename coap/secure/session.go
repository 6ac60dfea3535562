package secure

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
)

// settleTime bounds the wait for the library's judgement of a new address.
const settleTime = 20 * time.Millisecond

// ErrAnonymous: a certificate whose subject has no common name.
var ErrAnonymous = errors.New("secure: the certificate's subject has no common name")

// Session is an established session. One goroutine reads, any number write.
type Session struct {
	id   uint64
	name string
	kind Kind

	association *association
	conn        *dtls.Conn
	heard       atomic.Int64   // Unix nanoseconds of the last authenticated record
	found       netip.AddrPort // the address it is found by; the reader's own
}

// ID tells the session from all others, of this process and of others: it is random.
func (s *Session) ID() uint64 { return s.id }

// Identity is who the peer proved to be, and how.
func (s *Session) Identity() (name string, kind Kind) { return s.name, s.kind }

// Remote is the address that the peer was heard from last.
func (s *Session) Remote() netip.AddrPort { return s.conn.RemoteAddr().(*endpoint).peer }

// Wait returns when something has come for the session since the last Wait, a
// message perhaps. A reader that reads only then holds no buffer while its peer
// sleeps. Error: io.EOF when the session has ended.
func (s *Session) Wait() error {
	select {
	case <-s.association.arrived:
		return nil
	case <-s.association.closed:
		return io.EOF
	}
}

// Read waits for a message, at most for so long, and copies it to b. One that b
// is too small for is lost. Errors: os.ErrDeadlineExceeded, and io.EOF when the
// session has ended, whoever ended it.
func (s *Session) Read(b []byte, within time.Duration) (int, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return 0, fmt.Errorf("secure: read: %w", err)
	}
	for {
		n, err := s.conn.Read(b)
		var timeout net.Error
		switch {
		case errors.Is(err, io.EOF):
			return 0, io.EOF
		case errors.As(err, &timeout) && timeout.Timeout():
			return 0, os.ErrDeadlineExceeded
		}
		if err != nil { // a warning of the peer's, or a message larger than b
			s.association.l.stats.dropped.Add(1)
			continue
		}
		s.heard.Store(time.Now().UnixNano())
		s.follow()
		return n, nil
	}
}

// follow notes where the peer is. The library hands a message out before it
// sets the peer's new address, and the answer must go there.
func (s *Session) follow() {
	if m := s.association.moving.Load(); m != nil {
		late := time.NewTimer(settleTime)
		defer late.Stop()
		select {
		case <-m.judged:
		case <-late.C: // the datagram holds more messages, which it wants to hand out first
		}
	}
	if from := s.Remote(); from != s.found {
		s.found = from
		s.association.l.moved(s.association, from)
	}
}

// Write sends a message in one record. It does not wait for the peer.
func (s *Session) Write(b []byte) (int, error) {
	n, err := s.conn.Write(b)
	if err != nil {
		return n, fmt.Errorf("secure: write: %w", err)
	}
	return n, nil
}

// Close ends the session and tells the peer so. Read returns io.EOF.
func (s *Session) Close() error {
	if err := s.conn.Close(); err != nil {
		return fmt.Errorf("secure: close: %w", err)
	}
	return nil
}

// olderThan tells whether s was last heard before o was; a nil o is the youngest.
func (s *Session) olderThan(o *Session) bool { return o == nil || s.heard.Load() < o.heard.Load() }

// identityOf reads who a peer proved to be off a completed handshake.
func identityOf(state *dtls.State) (name string, kind Kind, err error) {
	if len(state.PeerCertificates) == 0 {
		return string(state.IdentityHint), PSK, nil
	}
	leaf, err := x509.ParseCertificate(state.PeerCertificates[0])
	if err != nil {
		return "", X509, fmt.Errorf("secure: certificate: %w", err)
	}
	if leaf.Subject.CommonName == "" {
		return "", X509, ErrAnonymous
	}
	return leaf.Subject.CommonName, X509, nil
}
