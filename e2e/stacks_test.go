//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// changes is how many changes of a reading an observer is to hear of.
const changes = 100

// Content-Formats that the tests use (RFC 7252 section 12.3).
const (
	octetStream = 42
	linkFormat  = 40
)

// bodies are the sizes of what goes up in blocks, and blocks the sizes of those.
var (
	bodies = []int{5_000, 200_000}
	blocks = []int{64, 1024}
)

// TestLibcoap, TestAiocoap and TestNpmCoap let the stacks of devices do what
// devices do; TestCalifornium is with the engines.
func TestLibcoap(t *testing.T) {
	device := libcoap{plain: program(t, "coap-client-notls"), secure: program(t, "coap-client-openssl")}
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
	testBlocks(t, n, device, "CON", "NON")
	testObserve(t, n, device)
	testDiscovery(t, n, device)
}

func TestAiocoap(t *testing.T) {
	device := driver{command: []string{peer(t, "aiocoap/bin/python"), "clients/aiocoap_device.py"}}
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
	testBlocks(t, n, device, "CON", "NON")
	testObserve(t, n, device)
	testDiscovery(t, n, device)
}

// TestNpmCoap has no NON bodies in blocks: the library sends each block of a
// body as a CON (segmentation.js), whatever was asked for. It has no DTLS
// either: node-coap-client has.
func TestNpmCoap(t *testing.T) {
	device := nodeDriver(t, "clients/npmcoap_device.js")
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
	testBlocks(t, n, device, "CON")
	testObserve(t, n, device)
	testDiscovery(t, n, device)
}

// TestNodeCoapClient posts and reads what is small, without DTLS: the library
// neither rejects a ping nor passes over an option that it does not know, so it
// cannot prove its address. It sends no bodies in blocks.
func TestNodeCoapClient(t *testing.T) {
	n := startSite(t, 1).nodes[0]
	testReading(t, n, nodeDriver(t, "clients/nodecoapclient_device.js"))
}

// TestCoapCLI lets a stack of 2019 post, read and observe: npm's coap-cli 0.7.1
// has coap 0.23.1 inside. It sends no queries.
func TestCoapCLI(t *testing.T) {
	device := coapCLI{node: program(t, "node"), script: peer(t, "node/node_modules/coap-cli/index.js")}
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
	testObserve(t, n, device)
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

// testBlocks sends bodies of each size up in blocks of each size, as messages of
// each kind, and reads them down again.
func testBlocks(t *testing.T, n *node, device stack, kinds ...string) {
	for _, kind := range kinds {
		for _, size := range bodies {
			for _, block := range blocks {
				name := fmt.Sprintf("%d bytes go up and down in %s blocks of %d", size, kind, block)
				t.Run(name, func(t *testing.T) {
					body := randomBody(size)
					put := ask("put", fmt.Sprintf("coap://%s/r/camera-%s-%d/blob%d", n.coap, kind, block, size))
					put.payload, put.format = body, octetStream
					put.block, put.non = block, kind == "NON"
					want(t, device, put, "2.04")
					get := ask("get", put.url)
					get.block, get.non = block, put.non
					if got := want(t, device, get, "2.05"); !bytes.Equal(got, body) {
						t.Errorf("%d bytes come back (%.20x), want the %d that were sent (%.20x)", len(got), got, size, body)
					}
				})
			}
		}
	}
}

func randomBody(size int) []byte {
	source := rand.NewChaCha8([32]byte{byte(size)})
	body := make([]byte, size)
	source.Read(body) // never fails
	return body
}

// testObserve changes a reading again and again, each time when the observer
// has heard of the last change.
func testObserve(t *testing.T, n *node, device stack) {
	t.Run(fmt.Sprintf("an observer hears of %d changes", changes), func(t *testing.T) {
		url := fmt.Sprintf("coap://%s/r/watched/t", n.coap)
		n.post(url, 0)
		heard := device.observe(t, ask("get", url), 1+changes)
		var got []string
		for i := range 1 + changes {
			if i > 0 {
				n.post(url, i)
			}
			select {
			case a, ok := <-heard:
				if !ok {
					t.Fatalf("the observer ended after %q", got)
				}
				got = append(got, string(a.Payload))
			case <-time.After(datagramTimeout):
				t.Fatalf("the observer heard of %q and then of nothing for %s", got, datagramTimeout)
			}
		}
		var sent []string
		for i := range 1 + changes {
			sent = append(sent, strconv.Itoa(i))
		}
		if !slices.Equal(got, sent) {
			t.Errorf("heard of %q, want %q", got, sent)
		}
	})
}

// post posts a number as a message of its own.
func (n *node) post(url string, value int) {
	n.t.Helper()
	client := program(n.t, "coap-client-notls")
	code, err := coapPost(n.t.Context(), client, url, strconv.Itoa(value))
	if err != nil || code != "2.04" {
		n.t.Fatalf("POST %s: %v: answered with %q, want 2.04", url, err, code)
	}
}

func testDiscovery(t *testing.T, n *node, device stack) {
	core := fmt.Sprintf("coap://%s/.well-known/core", n.coap)
	t.Run("what the gateway offers is listed", func(t *testing.T) {
		links := string(want(t, device, ask("get", core), "2.05"))
		for _, path := range []string{"/r", "/d", "/time", "/rd"} {
			if !strings.Contains(links, "<"+path+">") {
				t.Errorf("%s is not in %s", path, links)
			}
		}
	})
	t.Run("a filter finds the resource directory alone", func(t *testing.T) {
		links := string(want(t, device, ask("get", core+"?rt=core.rd"), "2.05"))
		if !strings.HasPrefix(links, "</rd>;") || strings.Contains(links, "</time>") {
			t.Errorf("got %s, want </rd> alone", links)
		}
	})
}
