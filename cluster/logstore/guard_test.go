package logstore_test

import (
	"errors"
	"testing"
	"time"

	"skerry/cluster/logstore"
)

// steps is a timer whose steps end when the test says so. A process that is
// stopped, or a machine that sleeps, finds one step over when it goes on, however
// long it was away.
type steps struct {
	fire    func()
	set     []time.Duration // what each step was to take
	stopped bool
}

func (s *steps) after(d time.Duration, fire func()) logstore.Timer {
	s.fire, s.set, s.stopped = fire, append(s.set, d), false
	return s
}

func (s *steps) Reset(d time.Duration) bool { s.set = append(s.set, d); return false }

func (s *steps) Stop() bool { s.stopped = true; return true }

func TestAWriteStallsWhenAllStepsAreOverAndAPauseIsOneStep(t *testing.T) {
	const stall = 2 * time.Second
	for _, c := range []struct {
		name  string
		over  int // steps that end while the write goes on
		fails bool
	}{
		{"a quick write", 0, false},
		{"a process that is stopped for an hour in a write", 1, false},
		{"a write that takes all steps but one", logstore.StallTicks - 1, false},
		{"a write that takes all steps", logstore.StallTicks, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told []error
			var clock steps
			g := logstore.NewGuard(func(err error) { told = append(told, err) }, stall, clock.after)
			for range 3 { // each write has all of the time
				clock.set = nil
				err := g.Write(func() error {
					for range c.over {
						clock.fire()
					}
					return nil
				})
				if c.fails {
					if err == nil || len(told) != 1 || !errors.Is(told[0], logstore.ErrStalled) {
						t.Errorf("the write ends with %v, told %v; want it to fail, and ErrStalled told once", err, told)
					}
					continue
				}
				if err != nil || len(told) > 0 || !clock.stopped {
					t.Errorf("the write ends with %v, told %v, timer stopped %t; want nothing wrong", err, told, clock.stopped)
				}
				if len(clock.set) != c.over+1 {
					t.Errorf("%d steps were begun, want %d", len(clock.set), c.over+1)
				}
			}
			for _, d := range clock.set {
				if d != stall/logstore.StallTicks {
					t.Errorf("a step takes %s, want %s", d, stall/logstore.StallTicks)
				}
			}
			if logstore.StallTicks < 4 {
				t.Errorf("a stall is counted in %d steps: a pause is much of it", logstore.StallTicks)
			}
		})
	}
}
