package secure_test

import (
	"crypto/tls"
	"testing"

	"github.com/pion/dtls/v3"

	"skerry/coap/secure"
	"skerry/internal/testca"
)

func TestACertificateNamesItsDevice(t *testing.T) {
	ours, theirs := testca.New(t), testca.New(t)
	gateway := ours.Gateway()
	for _, c := range []struct {
		name  string
		certs []tls.Certificate
		want  string // "" where it is refused
	}{
		{"one of ours is in", []tls.Certificate{ours.Device("pump-7")}, "pump-7"},
		{"one that others signed is not", []tls.Certificate{theirs.Device("pump-7")}, ""},
		{"one for servers is not", []tls.Certificate{ours.Gateway()}, ""},
		{"one without a name is not", []tls.Certificate{ours.Device("")}, ""},
		{"one of a device that is not let in is not", []tls.Certificate{ours.Device("stray")}, ""},
		{"who has none is not", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, func(cfg *secure.Config) {
				cfg.Certificate, cfg.ClientCAs = &gateway, ours.Pool()
				cfg.Admit = func(name string) bool { return name != "stray" }
			})
			options := []dtls.ClientOption{
				dtls.WithRootCAs(ours.Pool()), dtls.WithServerName("gateway"),
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
	ours := testca.New(t)
	gateway := ours.Gateway()
	d := open(t, func(cfg *secure.Config) { cfg.Certificate, cfg.ClientCAs = &gateway, ours.Pool() })
	d.enter(newRoamer(t, "127.0.0.1:0"), "tank-1").say("0.5")
}
