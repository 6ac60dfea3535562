package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"time"
)

// Config says where to listen and whom to let in. PSK, or Certificate with
// ClientCAs, or all of them.
type Config struct {
	Addr string // host:port; all addresses when the host is empty
	// PSK is the key of an identity; ok is false for one that is not known, and
	// its handshake ends with an alert. It is called by many goroutines.
	PSK func(identity string) (key []byte, ok bool)
	// Certificate is the gateway's own. A peer without a pre-shared key must
	// have a certificate that ClientCAs vouch for; its subject's common name is
	// its identity.
	Certificate *tls.Certificate
	ClientCAs   *x509.CertPool
	// Admit tells whether the name in a certificate is let in; nil for any.
	Admit func(name string) bool
	// Failed is told of a handshake that ended without a session after its peer
	// had named an identity; nil for nobody. It does not wait.
	Failed func(identity string, from netip.AddrPort)
	Limits Limits // DefaultLimits when zero
	Logger *slog.Logger
}

// Limits bound what peers can make a gateway hold.
type Limits struct {
	Sessions            int // established
	SessionsPerIdentity int
	Handshakes          int           // not yet established
	HandshakesPerHost   int           // of one IP address
	CookieTimeout       time.Duration // for the peer to return a cookie
	HandshakeTimeout    time.Duration // for all of a handshake
	Idle                time.Duration // after which a silent session ends
}

// DefaultLimits suit a gateway with 512 MB of RAM: 1,024 idle sessions were
// measured to take 50 kB each.
func DefaultLimits() Limits {
	return Limits{
		Sessions: 2_048, SessionsPerIdentity: 8,
		Handshakes: 256, HandshakesPerHost: 64,
		CookieTimeout: 15 * time.Second, HandshakeTimeout: time.Minute,
		Idle: 24 * time.Hour,
	}
}

func (c *Config) validate() error {
	l := &c.Limits
	switch {
	case c.PSK == nil && c.Certificate == nil:
		return errors.New("secure: PSK or Certificate is required")
	case (c.Certificate == nil) != (c.ClientCAs == nil):
		return errors.New("secure: Certificate and ClientCAs go together: a peer without a key shows a certificate")
	case l.Sessions < 1 || l.SessionsPerIdentity < 1 || l.Handshakes < 2 || l.HandshakesPerHost < 1:
		return errors.New("secure: Sessions, SessionsPerIdentity and HandshakesPerHost must be at least 1, Handshakes at least 2")
	case l.CookieTimeout <= 0 || l.HandshakeTimeout <= 0 || l.Idle <= 0:
		return errors.New("secure: CookieTimeout, HandshakeTimeout and Idle must be above 0")
	}
	return nil
}

// Kind is how a peer proved who it is.
type Kind uint8

const (
	PSK  Kind = iota // with a pre-shared key; the name is its identity
	X509             // with a certificate; the name is its subject's common name
)

func (k Kind) String() string {
	if k == X509 {
		return "x509"
	}
	return "psk"
}
