package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"skerry/internal/faultlab"
)

// stuckAfter is how long a virtual hour may take before its site counts as stuck:
// a hundred times what it takes on an idle core.
const stuckAfter = 10 * time.Minute

// site runs one site in a process of its own. A process that ends without a
// report, by a panic or because virtual time stood still, is a violation.
func (c *conductor) site(ctx context.Context, seed uint64) faultlab.Report {
	result := filepath.Join(c.out, fmt.Sprintf("report-%s-%d.json", c.mode, seed))
	_ = os.Remove(result) // of a run before; there may be none
	cmd := exec.CommandContext(ctx, c.bin, "-test.run", "^TestSite$", "-test.timeout", "0",
		"-faults.seed", fmt.Sprint(seed), "-faults.hours", fmt.Sprint(c.each), "-faults.mode", c.mode,
		"-faults.out", c.out, "-faults.report", result)
	cmd.Env = faultlab.Environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // with all its stacks
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	begun := time.Now()
	patience := time.AfterFunc(stuckAfter+time.Duration(c.each*float64(stuckAfter)), func() { _ = cmd.Cancel() })
	err := cmd.Run()
	patience.Stop()
	r := faultlab.Report{Seed: seed, Mode: faultlab.Mode(c.mode), Wall: time.Since(begun)}
	if b, readErr := os.ReadFile(result); readErr == nil && json.Unmarshal(b, &r) == nil {
		_ = os.Remove(result) // it is told
		return r
	}
	if ctx.Err() != nil {
		return r
	}
	r.Trace = filepath.Join(c.out, fmt.Sprintf("output-%s-%d.txt", c.mode, seed))
	r.Violations = []string{fmt.Sprintf("the site's process ended with %v", err)}
	if err := os.WriteFile(r.Trace, output.Bytes(), 0o600); err != nil {
		r.Violations = append(r.Violations, err.Error())
	}
	return r
}
