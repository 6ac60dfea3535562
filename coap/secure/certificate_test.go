package secure_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"skerry/coap/secure"
)

// authority signs certificates.
type authority struct {
	tb   testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	key := newKey(tb)
	a := &authority{tb: tb, key: key}
	a.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "the site"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, key)
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func (a *authority) sign(c *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.tb.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), a.key)
	if err != nil {
		a.tb.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.tb.Fatal(err)
	}
	return signed
}

// issue makes a certificate with its key.
func (a *authority) issue(name string, use x509.ExtKeyUsage) tls.Certificate {
	a.tb.Helper()
	key := newKey(a.tb)
	cert := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"gateway"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
	}, key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func TestACertificateNamesItsDevice(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	gateway := ours.issue("gateway", x509.ExtKeyUsageServerAuth)
	for _, c := range []struct {
		name  string
		certs []tls.Certificate
		want  string // "" where it is refused
	}{
		{"one of ours is in", []tls.Certificate{ours.issue("pump-7", x509.ExtKeyUsageClientAuth)}, "pump-7"},
		{"one that others signed is not", []tls.Certificate{theirs.issue("pump-7", x509.ExtKeyUsageClientAuth)}, ""},
		{"one for servers is not", []tls.Certificate{ours.issue("pump-7", x509.ExtKeyUsageServerAuth)}, ""},
		{"one without a name is not", []tls.Certificate{ours.issue("", x509.ExtKeyUsageClientAuth)}, ""},
		{"one of a device that is not let in is not", []tls.Certificate{ours.issue("stray", x509.ExtKeyUsageClientAuth)}, ""},
		{"who has none is not", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, func(cfg *secure.Config) {
				cfg.Certificate, cfg.ClientCAs = &gateway, ours.pool()
				cfg.Admit = func(name string) bool { return name != "stray" }
			})
			options := []dtls.ClientOption{
				dtls.WithRootCAs(ours.pool()), dtls.WithServerName("gateway"),
				dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8),
			}
			if c.certs != nil {
				options = append(options, dtls.WithCertificates(c.certs...))
			}
			client, err := d.dial(newRoamer(t, "127.0.0.1:0"), options...)
			if c.want == "" {
				if err == nil {
					t.Fatal("the client is in")
				}
				until(t, "the handshake's end", func() bool { return d.Stats().Handshakes == 0 })
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			client.say("21.6")
			if name, kind := d.latest().Identity(); name != c.want || kind != secure.X509 {
				t.Errorf("identity %s by %s, want %s by x509", name, kind, c.want)
			}
		})
	}
}

func TestADoorWithACertificateTakesKeysToo(t *testing.T) {
	ours := newAuthority(t)
	gateway := ours.issue("gateway", x509.ExtKeyUsageServerAuth)
	d := open(t, func(cfg *secure.Config) { cfg.Certificate, cfg.ClientCAs = &gateway, ours.pool() })
	d.enter(newRoamer(t, "127.0.0.1:0"), "tank-1").say("0.5")
}
