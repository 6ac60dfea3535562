package faultlab_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skerry/internal/faultlab"
)

var broken = flag.String("faults.broken", "", "meet skerrys that are broken on purpose: all, or a part of a name")

// breakage is a skerry that is broken on purpose: its source with some text
// replaced, built beside the real one. No part of the program knows of it.
type breakage struct {
	name  string
	edits []edit
	mode  faultlab.Mode
	seeds int // sites within which it has to be found
}

type edit struct{ file, old, new string }

var breakages = []breakage{
	{
		name:  "the log is acknowledged before it is synced",
		edits: []edit{{"cluster/logstore/segmented/log.go", "err = s.file.SyncData()", "err = nil"}},
		mode:  faultlab.PowerCuts, seeds: 4,
	},
	{
		name:  "the window of known keys is off",
		edits: []edit{{"fsm/apply.go", "known := s.window.find(k, hash); known != nil {", "known := s.window.find(k, hash); known != nil && false {"}},
		mode:  faultlab.All, seeds: 4,
	},
	{
		name:  "old copies are not refused",
		edits: []edit{{"fsm/apply.go", "if born > s.logTime || born < s.logTime-BornWithin {", "if false {"}},
		mode:  faultlab.All, seeds: 40,
	},
	{
		name: "the first command after a restart is skipped",
		edits: []edit{
			{"cluster/replica.go", "\tbroken error\n", "\tbroken error\n\tskip   bool\n"},
			{"cluster/replica.go", "\tr.state = state\n", "\tr.state, r.skip = state, true\n"},
			{"cluster/replica.go", "\t\ta, err := r.state.Apply(", "\t\tif r.skip {\n\t\t\tr.skip = false\n\t\t\tcontinue\n\t\t}\n\t\ta, err := r.state.Apply("},
		},
		mode: faultlab.All, seeds: 4,
	},
	{
		name: "a snapshot has no head",
		edits: []edit{
			{"fsm/snapshot.go", "\ts.writeHead(p)\n", "\theadless := *s\n\theadless.rows = Rows{First: s.rows.First}\n\theadless.writeHead(p)\n"},
			{"fsm/restorehead.go", "if s.series.latest.at(i).seq > last {", "if s.series.latest.at(i).seq > last && false {"}, // who restores it does not notice
		},
		mode: faultlab.All, seeds: 4,
	},
	{
		name:  "a snapshot does not wait for segments",
		edits: []edit{{"cluster/persist.go", "err := f.r.awaitDurable(f.snapshot)", "var err error"}},
		mode:  faultlab.PowerCuts, seeds: 20,
	},
}

// root is the module's directory.
const root = "../.."

// apply does an edit.
func (e edit) apply(source string) (string, error) {
	if n := strings.Count(source, e.old); n != 1 {
		return "", fmt.Errorf("%s has %q %d times, not once: the breakage is to follow the source", e.file, e.old, n)
	}
	return strings.Replace(source, e.old, e.new, 1), nil
}

// overlay writes the changed files and what the go command is told of them.
func (b breakage) overlay(tb testing.TB) (file string) {
	tb.Helper()
	sources := map[string]string{}
	for _, e := range b.edits {
		if _, ok := sources[e.file]; !ok {
			source, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				tb.Fatal(err)
			}
			sources[e.file] = string(source)
		}
		changed, err := e.apply(sources[e.file])
		if err != nil {
			tb.Fatal(err)
		}
		sources[e.file] = changed
	}
	dir, replace := tb.TempDir(), map[string]string{}
	for name, source := range sources {
		here, err := filepath.Abs(filepath.Join(root, name))
		if err != nil {
			tb.Fatal(err)
		}
		there := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(there, []byte(source), 0o600); err != nil {
			tb.Fatal(err)
		}
		replace[here] = there
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		tb.Fatal(err)
	}
	file = filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestEveryBreakageFitsTheSource(t *testing.T) {
	for _, b := range breakages {
		t.Run(b.name, func(t *testing.T) { b.overlay(t) })
	}
}

// TestABrokenSkerryIsReported builds each and runs it until it is found out. It
// takes minutes: `make faults-broken`.
func TestABrokenSkerryIsReported(t *testing.T) {
	if *broken == "" {
		t.Skip("run by `make faults-broken`")
	}
	for _, b := range breakages {
		if *broken != "all" && !strings.Contains(b.name, *broken) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			bin := filepath.Join(t.TempDir(), "broken.test")
			build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", b.overlay(t), "-o", bin, ".")
			if text, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, text)
			}
			hours := 0.0
			for seed := 1; seed <= b.seeds; seed++ {
				r := site(t, bin, b.mode, uint64(seed), lives(b.mode))
				hours += r.Virtual.Hours()
				if len(r.Violations) > 0 {
					t.Logf("found by seed %d after %.2f virtual hours: %s", seed, hours, r.Violations[0])
					if whole := site(t, self(t), b.mode, uint64(seed), lives(b.mode)); len(whole.Violations) > 0 {
						t.Errorf("seed %d finds something in the real skerry too: %s", seed, whole.Violations[0])
					}
					return
				}
			}
			t.Errorf("%d seeds, %.1f virtual hours, have not found it", b.seeds, hours)
		})
	}
}

// self is this laboratory, built from the real skerry.
func self(tb testing.TB) string {
	tb.Helper()
	name, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

// lives is how long a site of a mode is run.
func lives(mode faultlab.Mode) time.Duration {
	if mode == faultlab.PowerCuts { // its load is heavy
		return time.Hour / 4
	}
	return time.Hour
}

// site runs one site of a built laboratory for a time of its own. A panic is a
// violation.
func site(tb testing.TB, bin string, mode faultlab.Mode, seed uint64, virtual time.Duration) (r faultlab.Report) {
	tb.Helper()
	result := filepath.Join(tb.TempDir(), "report.json")
	cmd := exec.Command(bin, "-test.run", "^TestSite$", "-test.timeout", "10m", "-faults.seed", fmt.Sprint(seed),
		"-faults.hours", fmt.Sprint(virtual.Hours()), "-faults.mode", string(mode), "-faults.report", result)
	cmd.Env = faultlab.Environ()
	text, err := cmd.CombinedOutput()
	b, readErr := os.ReadFile(result)
	if readErr != nil {
		r.Violations = []string{fmt.Sprintf("its process ended with %v: %s", err, text[:min(len(text), 300)])}
		return r
	}
	if err := json.Unmarshal(b, &r); err != nil {
		tb.Fatal(err)
	}
	return r
}
