//go:build e2e && engines

package e2e_test

import (
	"os/exec"
	"testing"
)

// TestCalifornium lets the stack of Java's devices do what devices do.
func TestCalifornium(t *testing.T) {
	classes, jars := t.TempDir(), peer(t, "californium")+"/*"
	compile := exec.CommandContext(t.Context(), program(t, "javac"), "-cp", jars, "-d", classes, "clients/Californium.java")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", compile, err, out)
	}
	device := driver{command: []string{program(t, "java"), "-cp", jars + ":" + classes, "Californium"}}
	n := startSite(t, 1).nodes[0]
	testReading(t, n, device)
	testBlocks(t, n, device, "CON", "NON")
	testObserve(t, n, device)
	testDiscovery(t, n, device)
}
