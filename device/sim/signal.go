package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"skerry/fsm"
)

// signal is one thing that a sensor measures.
type signal interface {
	measure(now time.Time) fsm.Value
}

// curve is a quantity that follows the day.
type curve struct {
	rand       *rand.Rand
	start      time.Time
	base       float64 // mean over the day
	swing      float64 // from the mean to the top
	peak       float64 // hour of the top, UTC
	drift      float64 // a day, as sensors age
	noise      float64 // standard deviation of the slow noise
	resolution int     // decimals of the sensor, see round
	slow       float64 // the noise now
}

// persistence is how much of the slow noise stays from one measurement to the
// next: weather does not jump.
const persistence = 0.9

func (c *curve) measure(now time.Time) fsm.Value {
	c.slow = persistence*c.slow + math.Sqrt(1-persistence*persistence)*c.noise*c.rand.NormFloat64()
	day := now.UTC().Sub(now.UTC().Truncate(24 * time.Hour)).Hours()
	v := c.base + c.swing*math.Cos(2*math.Pi*(day-c.peak)/24) + c.drift*now.Sub(c.start).Hours()/24 + c.slow
	return fsm.NumberValue(round(v, c.resolution))
}

// round keeps a number of decimals; a negative one rounds to tens, hundreds.
func round(v float64, decimals int) float64 {
	if decimals < 0 {
		return math.Round(v/math.Pow10(-decimals)) * math.Pow10(-decimals)
	}
	return math.Round(v*math.Pow10(decimals)) / math.Pow10(decimals)
}

// counter counts pulses and never shows the same number twice.
type counter struct {
	rand  *rand.Rand
	count float64
}

// newCounter starts at the milliseconds since 1970, so that a later simulation
// goes on above an earlier one as long as each counts less than a pulse a
// millisecond.
func newCounter(r *rand.Rand, start time.Time) *counter {
	return &counter{rand: r, count: float64(start.UnixMilli())}
}

func (c *counter) measure(time.Time) fsm.Value {
	c.count += float64(1 + c.rand.IntN(4))
	return fsm.NumberValue(c.count)
}

// contact is a door that is closed most of the time.
type contact struct {
	rand *rand.Rand
	open bool
}

func (c *contact) measure(time.Time) fsm.Value {
	change := 0.05
	if c.open {
		change = 0.3
	}
	if c.rand.Float64() < change {
		c.open = !c.open
	}
	return fsm.FlagValue(c.open)
}

// condition is what a device says about itself.
type condition struct{ rand *rand.Rand }

func (c *condition) measure(time.Time) fsm.Value {
	words := [...]string{"ok", "ok", "ok", "ok", "ok", "ok", "radio weak", "battery low"}
	return fsm.TextValue(words[c.rand.IntN(len(words))])
}
