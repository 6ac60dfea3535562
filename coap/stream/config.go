package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"skerry/coap/message"
)

// Handler takes what comes over one connection. Its methods are called by one
// goroutine, and what they are given is theirs for the call only.
type Handler interface {
	// Handle takes a message that is no signal; see message.ParseStream, whose
	// error is nil or an *OptionError here.
	Handle(m *message.Message, kind message.Kind, err error)
	// Ended is called once, last.
	Ended()
}

// Config says where to listen. Accept is required.
type Config struct {
	Addr string // host:port; all addresses when the host is empty
	// Certificate is the gateway's own, for TLS; without one it is plain TCP. A
	// device must show one that ClientCAs vouch for.
	Certificate *tls.Certificate
	ClientCAs   *x509.CertPool
	// Admit tells whether the name in a certificate is let in; nil for any.
	Admit func(name string) bool
	// Accept returns the handler of a connection whose peer is known. It is
	// called before its first message; ctx is done when Run is.
	Accept func(ctx context.Context, c *Conn) Handler
	Limits Limits // DefaultLimits when zero
	Logger *slog.Logger
}

// Limits bound what peers can make a gateway hold.
type Limits struct {
	Connections        int
	ConnectionsPerHost int
	MaxMessage         int           // bytes; told to the peer
	Queue              int           // messages that wait for a peer to read
	Handshake          time.Duration // for TLS, and for a write that is stuck
	KeepAlive          time.Duration // silence after which a peer is asked for a sign of life
	Patience           time.Duration // more silence, after which it is closed
}

// DefaultLimits suit a gateway with 512 MB of RAM.
func DefaultLimits() Limits {
	return Limits{
		Connections: 512, ConnectionsPerHost: 64,
		MaxMessage: 64 << 10, Queue: 64,
		Handshake: 15 * time.Second, KeepAlive: 5 * time.Minute, Patience: time.Minute,
	}
}

// minMessage is the least that a peer may count on (RFC 8323 section 5.3.1).
const minMessage = 1152

func (c *Config) validate() error {
	l := &c.Limits
	switch {
	case c.Accept == nil:
		return errors.New("stream: Accept is required")
	case (c.Certificate == nil) != (c.ClientCAs == nil):
		return errors.New("stream: Certificate and ClientCAs go together: over TLS a device shows a certificate")
	case l.Connections < 1 || l.ConnectionsPerHost < 1 || l.Queue < 1:
		return errors.New("stream: Connections, ConnectionsPerHost and Queue must be at least 1")
	case l.MaxMessage < minMessage:
		return errors.New("stream: MaxMessage must be at least 1152")
	case l.Handshake <= 0 || l.KeepAlive <= 0 || l.Patience <= 0:
		return errors.New("stream: Handshake, KeepAlive and Patience must be above 0")
	}
	return nil
}

// tls is the configuration of TLS, nil for plain TCP.
func (c *Config) tls() *tls.Config {
	if c.Certificate == nil {
		return nil
	}
	return &tls.Config{
		Certificates: []tls.Certificate{*c.Certificate},
		ClientCAs:    c.ClientCAs,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"coap"}, // RFC 8323 section 8.2
	}
}
