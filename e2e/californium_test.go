//go:build e2e && engines

package e2e_test

import "testing"

// TestCalifornium lets the stack of Java's devices do what devices do.
func TestCalifornium(t *testing.T) {
	device := driver{command: []string{program(t, "java"), "-cp", peer(t, "californium") + "/*", "clients/Californium.java"}}
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
}
