package faultlab

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// traceLines bounds the events that a run remembers.
const traceLines = 60_000

// trace is what happened last: faults, operations and the nodes' own lines.
type trace struct {
	mu    sync.Mutex
	begun time.Time
	lines []string // a ring
	next  int
}

func newTrace() *trace { return &trace{begun: time.Now()} }

// add notes an event of somebody.
func (t *trace) add(who, format string, args ...any) {
	line := fmt.Sprintf("%13.6f %-6s %s", time.Since(t.begun).Seconds(), who, fmt.Sprintf(format, args...))
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < traceLines {
		t.lines = append(t.lines, line)
		return
	}
	t.lines[t.next] = line
	t.next = (t.next + 1) % traceLines
}

// save writes the trace to a file.
func (t *trace) save(name string, head string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, head)
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.lines {
		fmt.Fprintln(w, t.lines[(t.next+i)%len(t.lines)])
	}
	if err := w.Flush(); err != nil {
		_ = f.Close() // the first error says why
		return err
	}
	return f.Close()
}

// logger passes a node's lines on, warnings to hear too.
func (t *trace) logger(node string, level slog.Level, hear func(line string)) *slog.Logger {
	return slog.New(&lines{t: t, node: node, level: level, hear: hear})
}

// lines is a slog.Handler.
type lines struct {
	t     *trace
	node  string
	level slog.Level
	hear  func(line string)
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler               { return l } // the node's name, which is known
func (l *lines) WithGroup(string) slog.Handler                    { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	})
	l.t.add(l.node, "%s%s", r.Message, b.String())
	if l.hear != nil && r.Level >= slog.LevelWarn {
		l.hear(r.Message + b.String())
	}
	return nil
}
