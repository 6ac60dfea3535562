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
	t.Run("plain", func(t *testing.T) { testAll(t, plain(t), device) })
	t.Run("with a key", func(t *testing.T) { testAll(t, secure(t), device) })
}
