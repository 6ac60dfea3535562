//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
)

// TestLibcoap, TestAiocoap and TestNpmCoap let the stacks of devices do what
// devices do; TestCalifornium is with the engines.
func TestLibcoap(t *testing.T) {
	device := libcoap{plain: program(t, "coap-client-notls"), secure: program(t, "coap-client-openssl")}
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
}

func TestAiocoap(t *testing.T) {
	device := driver{command: []string{peer(t, "aiocoap/bin/python"), "clients/aiocoap_device.py"}}
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
}

// TestNpmCoap has no DTLS: the library has none, node-coap-client has.
func TestNpmCoap(t *testing.T) {
	device := nodeDriver(t, "clients/npmcoap_device.js")
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
}

func TestNodeCoapClient(t *testing.T) {
	device := nodeDriver(t, "clients/nodecoapclient_device.js")
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
}

func nodeDriver(t *testing.T, path string) driver {
	t.Helper()
	modules := peer(t, "node/node_modules")
	return driver{command: []string{program(t, "node"), path}, env: []string{"NODE_PATH=" + modules}}
}

// want asks once and checks the code, where the stack tells it.
func want(t *testing.T, device stack, x exchange, code string) []byte {
	t.Helper()
	a := device.exchange(t, x)
	if a.Code != code {
		t.Fatalf("%s %s is answered with %s %q, want %s", x.method, x.url, a.Code, a.Payload, code)
	}
	return a.Payload
}

func testReading(t *testing.T, n *node, device stack) {
	for _, kind := range []string{"CON", "NON"} {
		t.Run("a reading that was posted as "+kind+" is read", func(t *testing.T) {
			post := ask("post", fmt.Sprintf("coap://%s/r/pump-%s/t", n.coap, kind))
			post.payload, post.non = []byte("21.5"), kind == "NON"
			want(t, device, post, "2.04")
			if got := n.valuesOf("pump-" + kind); got != "21.5" {
				t.Errorf("stored %q, want 21.5", got)
			}
			get := ask("get", post.url)
			get.non = post.non
			if got := want(t, device, get, "2.05"); string(got) != "21.5" {
				t.Errorf("read %q, want 21.5", got)
			}
		})
	}
}
