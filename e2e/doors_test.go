//go:build e2e

package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLibcoapAtEachDoor has libcoap's clients come in by each of the further
// doors of a node, over each library for TLS that they are built with.
func TestLibcoapAtEachDoor(t *testing.T) {
	ports := freeAddresses(t, 2)
	over := map[string]string{"coaps": ports[0].coap, "coap+tcp": ports[1].coap, "coaps+tcp": ports[0].http}
	files := makeAuthority(t)
	s := startSite(t, 1, "--coaps", over["coaps"], "--coap-tcp", over["coap+tcp"], "--coaps-tcp", over["coaps+tcp"],
		"--coaps-cert", files.gateway, "--coaps-key", files.gateway, "--coaps-client-ca", files.authority)
	var made struct{ Identity, Secret string }
	s.nodes[0].command(&made, "device", "add", "pump-7")
	byKey := []string{"-u", made.Identity, "-k", made.Secret}
	byCertificate := []string{"-c", files.device, "-C", files.authority}
	body := make([]byte, 20_000)
	if _, err := rand.Read(body); err != nil {
		t.Fatal(err)
	}
	sent := filepath.Join(t.TempDir(), "sent")
	if err := os.WriteFile(sent, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, program, scheme string
		show                  []string
		confined              bool // to its own name
	}{
		{"DTLS of OpenSSL with a key", "coap-client-openssl", "coaps", byKey, true},
		{"DTLS of GnuTLS with a key", "coap-client-gnutls", "coaps", byKey, true},
		{"DTLS of OpenSSL with a certificate", "coap-client-openssl", "coaps", byCertificate, true},
		{"TCP", "coap-client-notls", "coap+tcp", nil, false},
		{"TLS of OpenSSL", "coap-client-openssl", "coaps+tcp", byCertificate, true},
		{"TLS of GnuTLS", "coap-client-gnutls", "coaps+tcp", byCertificate, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := program(t, c.program)
			ask := func(path string, args ...string) string {
				t.Helper()
				args = append(append(args, "-B", "10"), c.show...)
				out, err := exec.Command(client, append(args, c.scheme+"://"+over[c.scheme]+path)...).CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v", out, err)
				}
				return string(out)
			}
			if out := ask("/r/pump-7/temperature", "-m", "post", "-e", "21.6"); strings.TrimSpace(out) != "" {
				t.Errorf("a reading was answered %q", out)
			}
			if out := ask("/r/pump-7/temperature"); !strings.Contains(out, "21.6") {
				t.Errorf("read %q", out)
			}
			out := ask("/r/pump-8/temperature", "-m", "post", "-e", "1")
			if refused := strings.Contains(out, "4.03 pump-7 may not write as pump-8"); refused != c.confined {
				t.Errorf("another device's reading was answered %q", out)
			}
			ask("/r/pump-7/blob", "-m", "put", "-t", "42", "-b", "256", "-f", sent)
			got := filepath.Join(t.TempDir(), "got")
			ask("/r/pump-7/blob", "-A", "42", "-o", got)
			if back, err := os.ReadFile(got); err != nil || !bytes.Equal(back, body) {
				t.Errorf("%d bytes came back as %d: %v", len(body), len(back), err)
			}
		})
	}
}

// authorityFiles are PEM files. Those of a certificate hold its key, too.
type authorityFiles struct{ authority, gateway, device string }

// makeAuthority makes certificates for a gateway on this machine and for pump-7.
func makeAuthority(t *testing.T) authorityFiles {
	t.Helper()
	dir := t.TempDir()
	var root *x509.Certificate
	var rootKey *ecdsa.PrivateKey
	make := func(name string, c *x509.Certificate) string {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.SerialNumber = big.NewInt(time.Now().UnixNano())
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		if root == nil {
			root, rootKey = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, root, key.Public(), rootKey)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
		path := filepath.Join(dir, name+".pem")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return authorityFiles{
		authority: make("authority", &x509.Certificate{
			Subject: pkix.Name{CommonName: "the site"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}),
		gateway: make("gateway", &x509.Certificate{
			Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}),
		device: make("device", &x509.Certificate{
			Subject:  pkix.Name{CommonName: "pump-7"},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}),
	}
}
