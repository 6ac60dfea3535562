package secure_test

import (
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"skerry/coap/secure"
)

func TestADeviceWithItsKeyIsKnown(t *testing.T) {
	for _, c := range []struct {
		name  string
		suite dtls.CipherSuiteID
	}{
		{"by AES-128-CCM-8", dtls.TLS_PSK_WITH_AES_128_CCM_8},
		{"by AES-128-CCM", dtls.TLS_PSK_WITH_AES_128_CCM},
		{"by AES-128-GCM", dtls.TLS_PSK_WITH_AES_128_GCM_SHA256},
		{"by ChaCha20 with ephemeral keys", dtls.TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t, nil)
			socket := newRoamer(t, "127.0.0.1:0")
			d.enter(socket, "pump-7", dtls.WithCipherSuites(c.suite)).say("21.6")
			s := d.latest()
			if name, kind := s.Identity(); name != "pump-7" || kind != secure.PSK {
				t.Errorf("identity %s by %s, want pump-7 by psk", name, kind)
			}
			if got, want := s.Remote().String(), socket.LocalAddr().String(); got != want {
				t.Errorf("remote %s, want %s", got, want)
			}
			if s.ID() == 0 {
				t.Error("no id")
			}
		})
	}
}

func TestAStrangerLeavesNothingBehind(t *testing.T) {
	d := open(t, func(c *secure.Config) { c.Limits.HandshakeTimeout = time.Second })
	for _, c := range []struct{ name, identity, key string }{
		{"an identity that nobody knows", "ghost", "boo"},
		{"a wrong key", "pump-7", "secret of tank-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := knowing(c.identity, c.key)
			if c.name == "a wrong key" { // its peer says nothing: it cannot even read the alert
				options = append(options, dtls.WithFlightInterval(100*time.Millisecond))
			}
			conn := newRoamer(t, "127.0.0.1:0")
			refused := make(chan error, 1)
			client, err := dtls.ClientWithOptions(conn, d.Addr(), options...)
			if err != nil {
				t.Fatal(err)
			}
			before := d.Stats().Failed
			go func() { refused <- client.Handshake() }()
			until(t, "the handshake's end", func() bool { return d.Stats().Handshakes == 0 && d.Stats().Failed > before })
			client.Close()
			if err := <-refused; err == nil {
				t.Error("the client is in")
			}
		})
	}
	if s := d.Stats(); s.Sessions != 0 || s.Completed != 0 {
		t.Errorf("%d sessions of %d handshakes, want none", s.Sessions, s.Completed)
	}
}

func TestAnUnknownIdentityIsToldSo(t *testing.T) {
	d := open(t, nil)
	begun := time.Now()
	if _, err := d.dial(newRoamer(t, "127.0.0.1:0"), knowing("ghost", "boo")...); err == nil {
		t.Fatal("the client is in")
	}
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("it took %v: no alert came", took)
	}
}

func TestADeviceThatSaysGoodbyeIsForgotten(t *testing.T) {
	d := open(t, nil)
	c := d.enter(newRoamer(t, "127.0.0.1:0"), "pump-7")
	c.say("21.6")
	c.Close()
	until(t, "the session's end", func() bool { return d.over() == 1 && d.Stats().Sessions == 0 })
}

func TestASessionThatIsClosedTellsItsDevice(t *testing.T) {
	d := open(t, nil)
	c := d.enter(newRoamer(t, "127.0.0.1:0"), "pump-7")
	if err := d.latest().Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 100)); err == nil {
		t.Errorf("the device read %d bytes", n)
	}
	until(t, "the session's end", func() bool { return d.over() == 1 })
}
