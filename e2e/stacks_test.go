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

// octetStream is a Content-Format (RFC 7252 section 12.3).
const octetStream = 42

// bodies are the sizes of what goes up in blocks, and blocks the sizes of those.
var (
	bodies = []int{5_000, 200_000}
	blocks = []int{64, 1024}
)

// entrance is a way into a node for one device.
type entrance struct {
	node   *node
	base   string // scheme, host and port
	device string // whose readings these are
	// identity and key are the device's where the base is coaps.
	identity string
	key      []byte
}

// ask is an exchange at this entrance.
func (e entrance) ask(method, path string) exchange {
	return exchange{
		method: method, url: e.base + path, format: anyFormat, accept: anyFormat,
		identity: e.identity, key: e.key,
	}
}

// plain starts a node and enters it without DTLS.
func plain(t *testing.T) entrance {
	t.Helper()
	n := startSite(t, 1).nodes[0]
	return entrance{node: n, base: "coap://" + n.coap, device: "pump-7"}
}

// secure starts a node with a door for DTLS, adds a device and enters with its
// key: one that was made for it, or that flags name.
func secure(t *testing.T, flags ...string) entrance {
	t.Helper()
	door := freeAddresses(t, 1)[0].coap
	n := startSite(t, 1, "--coaps", door).nodes[0]
	var made struct{ Identity, Secret string }
	n.command(&made, append([]string{"device", "add", "pump-7"}, flags...)...)
	return entrance{node: n, base: "coaps://" + door, device: "pump-7", identity: made.Identity, key: []byte(made.Secret)}
}

// TestLibcoap and those after it let the stacks of devices do what devices do.
// TestCalifornium is with the engines.
func TestLibcoap(t *testing.T) {
	device := libcoap{plain: program(t, "coap-client-notls"), secure: program(t, "coap-client-openssl")}
	t.Run("plain", func(t *testing.T) { testAll(t, plain(t), device) })
	t.Run("with a key", func(t *testing.T) { testAll(t, secure(t), device) })
}

// TestAiocoap: aiocoap's DTLS is tinydtls, which takes no key longer than those
// that skerry makes.
func TestAiocoap(t *testing.T) {
	device := driver{command: []string{peer(t, "aiocoap/bin/python"), "clients/aiocoap_device.py"}}
	t.Run("plain", func(t *testing.T) { testAll(t, plain(t), device) })
	t.Run("with a key", func(t *testing.T) { testAll(t, secure(t), device) })
}

// TestNpmCoap has no NON bodies in blocks: the library sends each block of a
// body as a CON (segmentation.js), whatever was asked for. It has no DTLS
// either: node-coap-client has.
func TestNpmCoap(t *testing.T) {
	e, device := plain(t), nodeDriver(t, "clients/npmcoap_device.js")
	testReading(t, e, device)
	testBlocks(t, e, device, "CON")
	testObserve(t, e, device)
	testDiscovery(t, e, device)
}

// TestNodeCoapClient posts and reads what is small, without DTLS: the library
// neither rejects a ping nor passes over an option that it does not know, so it
// cannot prove its address. It sends no bodies in blocks.
func TestNodeCoapClient(t *testing.T) {
	device := nodeDriver(t, "clients/nodecoapclient_device.js")
	t.Run("plain", func(t *testing.T) { testReading(t, plain(t), device) })
	t.Run("with a key", func(t *testing.T) {
		e := secure(t)
		testReading(t, e, device)
		testObserve(t, e, device)
		testDiscovery(t, e, device)
	})
}

// TestCoapCLI lets a stack of 2019 post, read and observe: npm's coap-cli 0.7.1
// has coap 0.23.1 inside. It sends no queries.
func TestCoapCLI(t *testing.T) {
	e, device := plain(t), coapCLI{node: program(t, "node"), script: peer(t, "node/node_modules/coap-cli/index.js")}
	testReading(t, e, device)
	testObserve(t, e, device)
}

func nodeDriver(t *testing.T, path string) driver {
	t.Helper()
	modules := peer(t, "node/node_modules")
	return driver{command: []string{program(t, "node"), path}, env: []string{"NODE_PATH=" + modules}}
}

// testAll is all that a device does.
func testAll(t *testing.T, e entrance, device stack) {
	testReading(t, e, device)
	testBlocks(t, e, device, "CON", "NON")
	testObserve(t, e, device)
	testDiscovery(t, e, device)
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

func testReading(t *testing.T, e entrance, device stack) {
	for _, kind := range []string{"CON", "NON"} {
		t.Run("a reading that was posted as "+kind+" is read", func(t *testing.T) {
			path := "/r/" + e.device + "/" + kind
			post := e.ask("post", path)
			post.payload, post.non = []byte("21.5"), kind == "NON"
			want(t, device, post, "2.04")
			get := e.ask("get", path)
			get.non = post.non
			if got := want(t, device, get, "2.05"); string(got) != "21.5" {
				t.Errorf("read %q, want 21.5", got)
			}
		})
	}
}

// testBlocks sends bodies of each size up in blocks of each size, as messages of
// each kind, and reads them down again.
func testBlocks(t *testing.T, e entrance, device stack, kinds ...string) {
	for _, kind := range kinds {
		for _, size := range bodies {
			for _, block := range blocks {
				name := fmt.Sprintf("%d bytes go up and down in %s blocks of %d", size, kind, block)
				t.Run(name, func(t *testing.T) {
					body := randomBody(size)
					path := fmt.Sprintf("/r/%s/%s-%d-%d", e.device, kind, size, block)
					put := e.ask("put", path)
					put.payload, put.format = body, octetStream
					put.block, put.non = block, kind == "NON"
					want(t, device, put, "2.04")
					get := e.ask("get", path)
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
	_, _ = source.Read(body) // never fails
	return body
}

// testObserve changes a reading again and again, each time when the observer
// has heard of the last change.
func testObserve(t *testing.T, e entrance, device stack) {
	t.Run(fmt.Sprintf("an observer hears of %d changes", changes), func(t *testing.T) {
		path := "/r/" + e.device + "/watched"
		e.node.post(path, 0)
		heard := device.observe(t, e.ask("get", path), 1+changes)
		var got []string
		for i := range 1 + changes {
			if i > 0 {
				e.node.post(path, i)
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

// post posts a number as another client.
func (n *node) post(path string, value int) {
	n.t.Helper()
	url := "coap://" + n.coap + path
	client := program(n.t, "coap-client-notls")
	code, err := coapPost(n.t.Context(), client, url, strconv.Itoa(value))
	if err != nil || code != "2.04" {
		n.t.Fatalf("POST %s: %v: answered with %q, want 2.04", url, err, code)
	}
}

func testDiscovery(t *testing.T, e entrance, device stack) {
	const core = "/.well-known/core"
	t.Run("what the gateway offers is listed", func(t *testing.T) {
		links := string(want(t, device, e.ask("get", core), "2.05"))
		for _, path := range []string{"/r", "/d", "/time", "/rd"} {
			if !strings.Contains(links, "<"+path+">") {
				t.Errorf("%s is not in %s", path, links)
			}
		}
	})
	t.Run("a filter finds the resource directory alone", func(t *testing.T) {
		links := string(want(t, device, e.ask("get", core+"?rt=core.rd"), "2.05"))
		if !strings.HasPrefix(links, "</rd>;") || strings.Contains(links, "</time>") {
			t.Errorf("got %s, want </rd> alone", links)
		}
	})
}
