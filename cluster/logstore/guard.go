package logstore

import (
	"errors"
	"fmt"
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
	broken atomic.Bool
}

func newGuard(failed func(error), stall time.Duration) *guard {
	if failed == nil {
		failed = func(error) {}
	}
	return &guard{failed: failed, stall: stall}
}

// write does one write. Where another failed meanwhile, this one counts as
// failed too: the owner has been told that nothing is kept.
func (g *guard) write(what string, do func() error) error {
	if g.broken.Load() {
		return errFailed
	}
	if g.stall > 0 {
		timer := time.AfterFunc(g.stall, func() {
			_ = g.fail(fmt.Errorf("%s: %w: over %s", what, ErrStalled, g.stall)) // it is told
		})
		defer timer.Stop()
	}
	if err := do(); err != nil {
		return g.fail(fmt.Errorf("%s: %w", what, err))
	}
	if g.broken.Load() {
		return errFailed
	}
	return nil
}

// fail tells of the first failure and returns err.
func (g *guard) fail(err error) error {
	if !g.broken.Swap(true) {
		g.failed(err)
	}
	return err
}
