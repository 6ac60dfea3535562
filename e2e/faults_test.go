//go:build e2e

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestFaults runs the campaigns of the fault laboratory in short: what breaks
// them is a violation of what skerry promises. The long runs are `make
// faults-real`.
func TestFaults(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("the laboratory mounts filesystems and makes networks: run it as root")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Fatal("the laboratory's disks need /dev/fuse")
	}
	for _, c := range []struct{ name, count string }{
		{"cut-all", "6"},
		{"cut-one", "6"},
		{"processes", "3"},
		{"network", "3"},
		{"errors", "4"},
		{"rot", "4"}, // one of each kind
		{"stall", "1"},
		{"full", "4"},  // one disk, two, three, and one of a node that comes back
		{"cards", "4"}, // one of each kind
		{"upgrade", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each has a network of its own, and mostly waits
			cmd := exec.Command(filepath.Join("..", "bin", "faultreal"),
				"-campaigns", c.name, "-count", c.count, "-skerry", binary(t), "-next", filepath.Join("..", "bin", "skerry-next"), "-dir", t.TempDir())
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Error(err)
			}
		})
	}
}
