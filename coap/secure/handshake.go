package secure

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
)

// ErrUnknown: no key is known for an identity, or a certificate's name is not
// let in.
var ErrUnknown = errors.New("secure: the identity is not known")

// pskSuites are offered where there are keys. The first is what every
// constrained stack has (RFC 7252 section 9.1.3.1).
var pskSuites = []dtls.CipherSuiteID{
	dtls.TLS_PSK_WITH_AES_128_CCM_8,
	dtls.TLS_PSK_WITH_AES_128_CCM,
	dtls.TLS_PSK_WITH_AES_128_GCM_SHA256,
	dtls.TLS_PSK_WITH_AES_256_CCM_8,
	dtls.TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256,
}

// certificateSuites are offered where there is a certificate (RFC 7252 section
// 9.1.3.3).
var certificateSuites = []dtls.CipherSuiteID{
	dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
	dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
	dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
}

// options are the library's, for all associations.
func (c *Config) options() []dtls.ServerOption {
	var suites []dtls.CipherSuiteID
	options := []dtls.ServerOption{
		dtls.WithExtendedMasterSecret(dtls.RequestExtendedMasterSecret),
		dtls.WithServerHelloMessageHook(withoutEmptyList),
		dtls.WithVerifyConnection(func(s *dtls.State) error {
			name, kind, err := identityOf(s)
			if err == nil && kind == X509 && c.Admit != nil && !c.Admit(name) {
				err = ErrUnknown
			}
			return err
		}),
		dtls.WithLoggerFactory(&logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}),
	}
	if c.PSK != nil {
		suites = append(suites, pskSuites...)
	}
	if c.Certificate != nil {
		suites = append(suites, certificateSuites...)
		options = append(options,
			dtls.WithCertificates(*c.Certificate),
			dtls.WithClientAuth(dtls.RequireAndVerifyClientCert),
			dtls.WithClientCAs(c.ClientCAs),
		)
	}
	return append(options, dtls.WithCipherSuites(suites...))
}

// shake brings an association's handshake to its end, and offers the session.
func (l *Listener) shake(ctx context.Context, a *association) {
	defer a.cancel()
	defer time.AfterFunc(l.cfg.Limits.CookieTimeout, func() { l.giveUpStranger(a) }).Stop()
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Limits.HandshakeTimeout)
	defer cancel()
	s, err := l.handshake(ctx, a)
	if err != nil {
		l.stats.failed.Add(1)
		if name := a.claimed.Load(); name != nil && l.cfg.Failed != nil {
			l.cfg.Failed(*name, a.first.peer)
		}
		l.log.Debug("dtls handshake failed", "peer", a.first.String(), "err", err)
		return
	}
	l.establish(s)
}

func (l *Listener) handshake(ctx context.Context, a *association) (*Session, error) {
	options := append(l.options[:len(l.options):len(l.options)], dtls.WithConnectionIDGenerator(func() []byte {
		return l.nameOf(a)
	}))
	if l.cfg.PSK != nil {
		options = append(options, dtls.WithPSK(a.keyOf))
	}
	conn, err := dtls.ServerWithOptions(a, a.first, options...)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close(), a.Close())
	}
	s := &Session{id: randomNumber(), association: a, conn: conn, found: a.first.peer}
	s.heard.Store(time.Now().UnixNano())
	state, ok := conn.ConnectionState()
	if !ok {
		return nil, errors.Join(errors.New("secure: a session without a state"), conn.Close())
	}
	if s.name, s.kind, err = identityOf(&state); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// keyOf is the key of the identity that the peer names.
func (a *association) keyOf(identity []byte) ([]byte, error) {
	name := string(identity)
	a.claimed.Store(&name)
	key, ok := a.l.cfg.PSK(name)
	if !ok {
		return nil, ErrUnknown
	}
	return key, nil
}

// nameOf makes an association's connection ID, which it is found by from now on.
func (l *Listener) nameOf(a *association) []byte {
	var id connectionID
	binary.BigEndian.PutUint64(id[:], randomNumber())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.table.name(a, id)
	return id[:]
}

// randomNumber is one that nobody foresees.
func randomNumber() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // the kernel's random numbers never fail
	}
	return binary.BigEndian.Uint64(b[:])
}
