package secure_test

import (
	"os/exec"
	"strings"
	"testing"

	"skerry/coap/message"
	"skerry/coap/secure"
)

// TestLibcoapGetsIn has the clients of libcoap send a request, over each of the
// libraries for TLS that it is built with.
func TestLibcoapGetsIn(t *testing.T) {
	for _, program := range []string{"coap-client-openssl", "coap-client-gnutls"} {
		t.Run(program, func(t *testing.T) {
			path, err := exec.LookPath(program)
			if err != nil {
				t.Fatalf("%s is missing: apt-get install libcoap3-bin", program)
			}
			d := open(t, nil)
			d.answer = func(s *secure.Session, in []byte) []byte {
				var m message.Message
				if kind, err := message.Parse(in, &m); kind != message.Request {
					t.Errorf("%x is no request: %v", in, err)
				}
				name, _ := s.Identity()
				out, err := (&message.Message{
					Type: message.ACK, Code: message.Content, ID: m.ID, Token: m.Token, Payload: []byte("hello " + name),
				}).Append(nil)
				if err != nil {
					t.Error(err)
				}
				return out
			}
			out, err := exec.Command(path, "-B", "5", "-u", "pump-7", "-k", keys["pump-7"], "coaps://"+d.Addr().String()+"/time").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "hello pump-7") {
				t.Errorf("%s: %v", out, err)
			}
			until(t, "its goodbye", func() bool { return d.Stats().Sessions == 0 })
		})
	}
}
