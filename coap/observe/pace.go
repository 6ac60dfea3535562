package observe

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxPeriod bounds pmin and pmax.
const MaxPeriod = 31 * 24 * time.Hour

// Pace bounds the time between two notifications of an observation, in either
// direction (pmin and pmax of the conditional attributes of CoRE and of LwM2M).
type Pace struct {
	Min time.Duration // at least, though the state changes; 0 for no bound
	Max time.Duration // at most, though it does not; 0 for no bound
}

// ErrPace says that pmin and pmax contradict each other.
var ErrPace = errors.New("pmax is shorter than pmin")

// Parameter takes a query parameter of a request. It knows pmin and pmax, also
// as c.pmin and c.pmax, in seconds with or without a fraction; pmax=0 is none,
// as in LwM2M. ours is false for any other name.
func (p *Pace) Parameter(name, value string) (ours bool, err error) {
	switch strings.TrimPrefix(name, "c.") {
	case "pmin":
		p.Min, err = period(name, value)
	case "pmax":
		p.Max, err = period(name, value)
	default:
		return false, nil
	}
	return true, err
}

// Validate checks the two together. Errors: ErrPace.
func (p Pace) Validate() error {
	if p.Max > 0 && p.Max < p.Min {
		return ErrPace
	}
	return nil
}

func period(name, value string) (time.Duration, error) {
	const digits = "0123456789."
	d, err := time.ParseDuration(value + "s")
	if err != nil || strings.Trim(value, digits) != "" || d > MaxPeriod {
		return 0, fmt.Errorf("%s is a number of seconds, at most %d", name, MaxPeriod/time.Second)
	}
	return d, nil
}

// usualAge is for how long a notification is fresh where no pace says more
// (the default of RFC 7252 section 5.10.5). A client that hears nothing for so
// long asks again, at a living node if this one is dead.
const usualAge = time.Minute

// MaxAge is for how long a notification is fresh, in seconds: the next one may
// take as long.
func (p Pace) MaxAge() uint32 {
	age := max(usualAge, p.Min, p.Max)
	return uint32((age + time.Second - 1) / time.Second)
}
