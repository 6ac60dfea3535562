package sim

import (
	"math/rand/v2"
	"time"
)

// clock is a device's idea of the time.
type clock struct {
	none   bool
	offset time.Duration // from the true time at start
	drift  float64       // seconds a second
	start  time.Time
	last   int64 // microseconds; the clock only goes forward
}

// tick is the resolution of a clock, in microseconds.
const tick = 1000

// gpsRollover is what a GPS receiver loses whose week counter has ten bits.
const gpsRollover = -1024 * 7 * 24 * time.Hour

// newClock gives most devices a fair clock and some a wrong one.
func newClock(r *rand.Rand, start time.Time) clock {
	c := clock{start: start, drift: r.NormFloat64() * 20e-6}
	switch p := r.Float64(); {
	case p < 0.70:
		c.offset = time.Duration(r.NormFloat64() * float64(200*time.Millisecond))
	case p < 0.85: // never set after its battery was changed
		c.offset = time.Duration(r.NormFloat64() * float64(10*time.Minute))
		c.drift = r.NormFloat64() * 300e-6
	case p < 0.95: // local time for UTC
		c.offset = time.Duration(1+r.IntN(11)) * time.Hour
	default:
		c.offset = gpsRollover
	}
	return c
}

// at is what the clock shows at a true time: microseconds since 1970, later
// than ever before; 0 without a clock.
func (c *clock) at(now time.Time) int64 {
	if c.none {
		return 0
	}
	shown := now.Add(c.offset + time.Duration(c.drift*float64(now.Sub(c.start)))).UnixMicro()
	c.last = max(shown-shown%tick, c.last+tick)
	return c.last
}
