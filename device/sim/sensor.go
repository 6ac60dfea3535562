package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"skerry/device"
)

// maxKept bounds the readings a device keeps while its radio is out; the newest
// ones are dropped beyond.
const maxKept = 200

// How often things happen, per measurement.
const (
	outageChance = 0.004
	repeatChance = 0.02 // the answer gets lost: the message comes twice
)

// channel is a resource of a sensor.
type channel struct {
	resource, unit string
	signal         signal
}

// sensor is one device. It belongs to one goroutine.
type sensor struct {
	name     string
	home     int // gateway asked first
	rand     *rand.Rand
	clock    clock
	channels []channel
	packs    bool // sends packs, and keeps readings over an outage
	batch    int  // measurements a message holds, 1 unless it packs

	outage int // measurements left until the radio is back
	kept   []kept
}

// kept is a reading that waits to be sent.
type kept struct {
	reading device.Reading
	taken   time.Time
}

// newSensor makes the sensor of an index: four kinds in turn.
func newSensor(prefix string, seed uint64, index int, start time.Time) *sensor {
	r := rand.New(rand.NewPCG(seed, uint64(index)))
	s := &sensor{home: index, rand: r, clock: newClock(r, start), packs: r.IntN(3) == 0, batch: 1}
	curveOf := func(base, swing, peak, drift, noise float64, resolution int) signal {
		return &curve{r, start, base, swing, peak, drift, noise, resolution, 0}
	}
	kind := ""
	switch index % 4 {
	case 0:
		kind = "climate"
		s.channels = []channel{
			{"temperature", "Cel", curveOf(8+r.Float64()*14, 2+r.Float64()*5, 14, 0.02*r.NormFloat64(), 0.4, 1)},
			{"humidity", "%RH", curveOf(45+r.Float64()*25, -5-r.Float64()*10, 14, 0.05*r.NormFloat64(), 1.5, 1)},
		}
	case 1:
		kind = "meter"
		s.clock = clock{none: true}
		s.channels = []channel{{"pulses", "", newCounter(r, start)}}
	case 2:
		kind = "pump"
		s.channels = []channel{
			{"pressure", "Pa", curveOf(250_000+r.Float64()*50_000, 8000, 19, -40, 900, -2)},
			{"battery", "V", curveOf(3.6, 0.02, 15, -0.01, 0.005, 3)},
			{"status", "", &condition{r}},
		}
	case 3:
		kind = "door"
		s.channels = []channel{{"open", "", &contact{rand: r}}}
	}
	s.name = fmt.Sprintf("%s%s-%d", prefix, kind, index/4+1)
	if s.packs {
		s.batch = 1 + r.IntN(5)
	}
	return s
}

// measure takes one reading of each channel, and reports whether it is time to
// send.
func (s *sensor) measure(now time.Time) (send bool) {
	if s.outage > 0 {
		s.outage--
	} else if s.rand.Float64() < outageChance {
		s.outage = 5 + s.rand.IntN(25)
	}
	if s.outage > 0 && !s.packs {
		return false // nothing to keep it in
	}
	at := s.clock.at(now)
	for _, c := range s.channels {
		if len(s.kept) == maxKept {
			return s.outage == 0
		}
		s.kept = append(s.kept, kept{device.Reading{
			Device: s.name, Resource: c.resource, Unit: c.unit, Time: at, Value: c.signal.measure(now),
		}, now})
	}
	return s.outage == 0 && len(s.kept) >= s.batch*len(s.channels)
}

// next takes as many of the kept readings as go into one message, encoded as
// this device does; none when nothing is kept.
func (s *sensor) next(now time.Time) (m device.Message, readings []device.Reading, err error) {
	if len(s.kept) == 0 {
		return m, nil, nil
	}
	readings = make([]device.Reading, len(s.kept))
	for i, k := range s.kept {
		readings[i] = k.reading
		if s.clock.none {
			readings[i].Ago = now.Sub(k.taken).Microseconds()
		}
	}
	n := 1
	if s.packs {
		m, n, err = device.Pack(readings)
	} else {
		m, err = device.Single(readings[0])
	}
	s.kept = append(s.kept[:0], s.kept[n:]...)
	return m, readings[:n:n], err
}
