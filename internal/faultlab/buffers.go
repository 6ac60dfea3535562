package faultlab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"skerry/internal/faultlab/wire"
)

// Buffers hold calls for longer than a key is known, which is 247 s.
const buffersLeast, buffersMost = 4 * time.Minute, 9 * time.Minute

// buffers has calls lie in buffers for longer than a key is known.
func buffers(s *site, r *rand.Rand) (string, func(), time.Duration) {
	w := wire.Weather{Late: r.Float64() * 0.3, LateFrom: buffersLeast, LateBy: buffersMost}
	d := within(r, time.Second, time.Minute)
	s.net.Weather(w)
	return fmt.Sprintf("%+v for %s", w, d), func() { s.net.Weather(wire.Weather{}) }, d
}

// oldCallsIn is in how many epochs once calls are read that are minutes old.
const oldCallsIn = 4

// oldCalls has calls between nodes lie in buffers under load, and then nothing
// else go wrong until all of them were read: by the leader that they were meant
// for, in its term, when the keys in them are forgotten.
func (s *site) oldCalls(ctx context.Context, r *rand.Rand) {
	if r.IntN(oldCallsIn) > 0 {
		return
	}
	w := wire.Weather{LateCalls: 0.1 + 0.3*r.Float64(), LateFrom: buffersLeast, LateBy: buffersLeast + time.Minute}
	d := within(r, 10*time.Second, time.Minute)
	s.trace.add("FAULT", "old calls: %+v for %s", w, d)
	s.faults.add("old calls")
	s.net.Weather(w)
	sleep(ctx, d)
	s.net.Weather(wire.Weather{})
	sleep(ctx, w.LateBy)
}
