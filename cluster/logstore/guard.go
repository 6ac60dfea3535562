package logstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrStalled: the disk did not finish a write in time. What it will hold is
	// not known.
	ErrStalled = errors.New("the disk does not finish a write")

	errFailed = errors.New("an earlier write to the log failed: the node must be started again")
)

// guard watches writes: the first that fails or hangs is told, and none is taken
// after it.
type guard struct {
	failed func(error)
	stall  time.Duration // 0 waits for ever
	after  func(time.Duration, func()) stepper
	broken atomic.Bool
}

// stepper is a timer: a test has its own.
type stepper interface {
	Reset(time.Duration) bool
	Stop() bool
}

func afterFunc(d time.Duration, f func()) stepper { return time.AfterFunc(d, f) }

func newGuard(failed func(error), stall time.Duration) *guard {
	if failed == nil {
		failed = func(error) {}
	}
	return &guard{failed: failed, stall: stall, after: afterFunc}
}

// write does one write. Where another failed meanwhile, this one counts as
// failed too: the owner has been told that nothing is kept.
func (g *guard) write(what string, do func() error) error {
	if g.broken.Load() {
		return errFailed
	}
	if g.stall > 0 {
		defer g.watch(what)()
	}
	if err := do(); err != nil {
		return g.fail(fmt.Errorf("%s: %w", what, err))
	}
	if g.broken.Load() {
		return errFailed
	}
	return nil
}

// stallTicks is in how many steps the time of a write is counted: a process that
// was paused in one, or a machine that slept, loses no more than one step of it.
const stallTicks = 8

// watch fails a write that takes too long; ended is to be called at its end.
func (g *guard) watch(what string) (ended func()) {
	var mu sync.Mutex // guards over, left and timer
	over, left := false, stallTicks
	var timer stepper
	tick := func() {
		mu.Lock()
		left--
		late := !over && left == 0
		if !over && !late {
			timer.Reset(g.stall / stallTicks)
		}
		mu.Unlock()
		if late {
			_ = g.fail(fmt.Errorf("%s: %w: over %s", what, ErrStalled, g.stall)) // it is told
		}
	}
	mu.Lock()
	defer mu.Unlock()
	timer = g.after(g.stall/stallTicks, tick)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}

// fail tells of the first failure and returns err.
func (g *guard) fail(err error) error {
	if !g.broken.Swap(true) {
		g.failed(err)
	}
	return err
}
