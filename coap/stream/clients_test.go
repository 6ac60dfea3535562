package stream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"

	"skerry/coap/message"
	"skerry/coap/stream"
)

// site makes certificates.
type site struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	s := &site{tb: tb, key: newKey(tb)}
	s.cert = s.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "the site"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, s.key)
	return s
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func (s *site) sign(c *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	s.tb.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := s.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), s.key)
	if err != nil {
		s.tb.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		s.tb.Fatal(err)
	}
	return signed
}

func (s *site) issue(name string) tls.Certificate {
	s.tb.Helper()
	key := newKey(s.tb)
	cert := s.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (s *site) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.cert)
	return pool
}

// secured opens a door for TLS.
func secured(tb testing.TB, s *site, change func(*stream.Config)) *door {
	tb.Helper()
	gateway := s.issue("gateway")
	return open(tb, func(c *stream.Config) {
		c.Certificate, c.ClientCAs = &gateway, s.pool()
		if change != nil {
			change(c)
		}
	})
}

func TestGoCoAPGetsIn(t *testing.T) {
	ours := newSite(t)
	for _, c := range []struct {
		name string
		door *door
		more []tcp.Option
		want string
	}{
		{"over TCP", open(t, nil), nil, ":21.6"},
		{"over TLS", secured(t, ours, nil), []tcp.Option{options.WithTLS(&tls.Config{
			RootCAs: ours.pool(), Certificates: []tls.Certificate{ours.issue("pump-7")},
		})}, "pump-7:21.6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tcp.Dial(c.door.Addr().String(), c.more...)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for range 10 {
				answer, err := conn.Post(ctx, "/r/pump-7/temperature", codec.TextPlain, strings.NewReader("21.6"))
				if err != nil {
					t.Fatal(err)
				}
				if body, err := answer.ReadBody(); err != nil || string(body) != c.want {
					t.Errorf("got %q, want %q: %v", body, c.want, err)
				}
			}
			if err := conn.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOverTLSADeviceShowsItsCertificate(t *testing.T) {
	ours, theirs := newSite(t), newSite(t)
	d := secured(t, ours, func(c *stream.Config) { c.Admit = func(name string) bool { return name != "stray" } })
	for _, c := range []struct {
		name  string
		certs []tls.Certificate
	}{
		{"none", nil},
		{"one of another site", []tls.Certificate{theirs.issue("pump-7")}},
		{"one of a device that is not let in", []tls.Certificate{ours.issue("stray")}},
		{"one without a name", []tls.Certificate{ours.issue("")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", d.Addr().String(), &tls.Config{RootCAs: ours.pool(), Certificates: c.certs})
			if err != nil {
				return // TLS 1.2 says so at once
			}
			defer conn.Close()
			newPeer(t, conn).wantEnd()
		})
	}
	if n := d.accepted(); n != 0 {
		t.Errorf("%d handlers for peers that nobody knows", n)
	}
}

func TestAHandshakeThatIsStuckHoldsUpNobody(t *testing.T) {
	ours := newSite(t)
	d := secured(t, ours, func(c *stream.Config) { c.Limits.Handshake = 500 * time.Millisecond })
	stuck, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	conn, err := tls.Dial("tcp", d.Addr().String(), &tls.Config{RootCAs: ours.pool(), Certificates: []tls.Certificate{ours.issue("pump-7")}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := newPeer(t, conn)
	if m := p.hear(); m.Code != message.CSM {
		t.Fatalf("got %v, want a CSM", m.Code)
	}
	p.ask("in")
	p.want(message.Content, "pump-7:in")
	if err := stuck.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stuck); err != nil {
		t.Errorf("the one that is stuck is not closed: %v", err)
	}
}
