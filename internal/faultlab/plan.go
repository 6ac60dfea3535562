package faultlab

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Mode is what kind of faults a run has.
type Mode string

// Modes.
const (
	All       Mode = "all"       // everything
	PowerCuts Mode = "powercuts" // of one node and of all, under load
	Rot       Mode = "rot"       // bits of a minority's disks flip, and power cuts
)

// ParseMode reads the name of a mode.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case All, PowerCuts, Rot:
		return m, nil
	}
	return "", fmt.Errorf("mode %q is not known: use %s, %s or %s", s, All, PowerCuts, Rot)
}

// Plan is what a run is told. All else is drawn from the seed.
type Plan struct {
	Seed    uint64
	Mode    Mode
	Virtual time.Duration // how long the site is run, in its own time
	Out     string        // directory of traces, "" for none
	Debug   bool          // the nodes' debug lines are in the trace
}

func (p Plan) level() slog.Level {
	if p.Debug {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// pause is how long a client waits between two operations, on average.
func (p Plan) pause(r *rand.Rand) time.Duration {
	if p.Mode == PowerCuts { // so that each cut meets many writes
		return within(r, 50*time.Millisecond, 500*time.Millisecond)
	}
	return within(r, 200*time.Millisecond, 6*time.Second)
}

// sync is how long a sync takes at most.
func (p Plan) sync(r *rand.Rand) time.Duration {
	if p.Mode == PowerCuts {
		return within(r, 5*time.Millisecond, 200*time.Millisecond)
	}
	return usualSync
}

// scrubRate is the pace at which nodes read their history again; 0 is their own.
func (p Plan) scrubRate() int64 {
	if p.Mode == Rot {
		return 0
	}
	return scrubRate
}

// source is a source of random decisions of its own for each purpose, so that
// one that draws more does not move the others.
func source(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // a hash takes all
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// within draws a duration between two, short ones more often.
func within(r *rand.Rand, least, most time.Duration) time.Duration {
	f := r.Float64()
	return least + time.Duration(f*f*float64(most-least))
}

// pick draws one of some.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
