// Package doctor examines a machine before a node is run on it: how long its disk
// takes to keep something, what kind of filesystem that is, and whether clock,
// memory and limits will do. It recommends a profile.
//
// It changes nothing: it writes one temporary file beside what is there, and
// removes it.
package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Report is what an examination found.
type Report struct {
	Dir        string     `json:"dir"` // that was asked for
	Filesystem Filesystem `json:"filesystem"`
	Sync       Sync       `json:"sync"`
	Space      Space      `json:"space"`
	Clock      Clock      `json:"clock"`
	OpenFiles  uint64     `json:"open_files"` // that the process may have
	Memory     Memory     `json:"memory"`
	Profile    string     `json:"profile"` // recommended; "" where no profile will do
	Reason     string     `json:"reason"`
	Findings   []Finding  `json:"findings"`
}

// Finding is something to do something about.
type Finding struct {
	Problem bool   `json:"problem"` // a node is not to run here; else it may
	Text    string `json:"text"`
}

// OK tells whether a node may run here.
func (r *Report) OK() bool {
	for _, f := range r.Findings {
		if f.Problem {
			return false
		}
	}
	return true
}

func (r *Report) problem(format string, args ...any) {
	r.Findings = append(r.Findings, Finding{true, fmt.Sprintf(format, args...)})
}

func (r *Report) warn(format string, args ...any) {
	r.Findings = append(r.Findings, Finding{false, fmt.Sprintf(format, args...)})
}

// Space is room on the disk, in bytes.
type Space struct {
	Free  int64 `json:"free"`
	Total int64 `json:"total"`
}

const (
	// leastFree is what a node wants to begin with: a log, and room to breathe.
	leastFree = 1 << 30
	// leastFiles is what many devices, nodes and segments need.
	leastFiles = 1024
	// leastMemory is the smallest gateway's, less what its kernel takes.
	leastMemory = 400 << 20
)

// Examine looks at the disk of a data directory, which need not be there yet, and
// at the machine. It takes about as long as 300 fsyncs, ten seconds at most. Its
// error is a directory that cannot be looked at.
func Examine(dir string) (Report, error) {
	r := Report{Dir: dir, Findings: []Finding{}}
	at, err := existing(dir)
	if err != nil {
		return r, err
	}
	if r.Filesystem, r.Space, err = filesystemOf(at); err != nil {
		return r, err
	}
	r.judgeFilesystem()
	r.judgeSpace()
	r.Sync = measure(at)
	r.judgeSync()
	r.Clock = clockOf(time.Now())
	r.judgeClock()
	r.OpenFiles = openFiles()
	if r.OpenFiles < leastFiles {
		r.warn("a process may open %d files: allow %d, with LimitNOFILE= in its systemd unit", r.OpenFiles, leastFiles)
	}
	r.Memory = memoryOf("/")
	if m := r.Memory.Least(); m > 0 && m < leastMemory {
		r.warn("a process may use %d MiB of memory: a node wants %d MiB", m>>20, leastMemory>>20)
	}
	return r, nil
}

// existing is the directory, or the first one above it that is there.
func existing(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		st, err := os.Stat(at)
		switch {
		case err == nil && !st.IsDir():
			return "", fmt.Errorf("--data %s: %s is not a directory", dir, at)
		case err == nil:
			return at, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", fmt.Errorf("--data: %w", err)
		}
		at = filepath.Dir(at)
	}
}

func (r *Report) judgeSpace() {
	if r.Space.Free < leastFree {
		r.warn("%d MiB are free: a node wants %d MiB to begin with", r.Space.Free>>20, leastFree>>20)
	}
}
