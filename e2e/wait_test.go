//go:build e2e

package e2e_test

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"
)

// pollEvery is the pause between two looks at a condition.
const pollEvery = 50 * time.Millisecond

// eventually returns when look returns nil, and fails the test with its last
// error when that takes too long. what says, as a sentence, what is waited for.
func eventually(t testing.TB, timeout time.Duration, what string, look func() error) {
	t.Helper()
	deadline := time.After(timeout)
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s it does not hold that %s: %v", timeout, what, err)
		case <-ticker.C:
		}
	}
}

// nodeAddresses are where a node listens, as host:port.
type nodeAddresses struct{ http, coap, cluster, gossip string }

// Ports are taken below the range that Linux gives to outgoing connections, so
// that nobody takes a node's port while the node is down.
const lowestPort, highestPort = 18_000, 32_000

func freeAddresses(t testing.TB, n int) []nodeAddresses {
	t.Helper()
	taken := map[int]bool{}
	next := func() string {
		for range 1000 {
			port := lowestPort + rand.IntN(highestPort-lowestPort)
			if !taken[port] && free(port) {
				taken[port] = true
				return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			}
		}
		t.Fatalf("no free port between %d and %d", lowestPort, highestPort)
		return ""
	}
	list := make([]nodeAddresses, n)
	for i := range list {
		list[i] = nodeAddresses{next(), next(), next(), next()}
	}
	return list
}

// free tells whether a port can be had for TCP and UDP now.
func free(port int) bool {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return udp.Close() == nil
}
