package senml

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MaxInteger is the largest integer that a double holds with all its
// neighbours, 2^53.
const MaxInteger = 1 << 53

// relativeBelow is the time, in seconds, below which SenML means "from now"
// (RFC 8428 section 4.5.3).
const relativeBelow = 1 << 28

// lastSecond is the end of the year 9999, the last time that RFC 3339 can
// write, in seconds since 1970 UTC.
const lastSecond = 253402300799

var (
	errInteger   = errors.New("integer is beyond 2^53 and would be rounded: send it as text (vs, or a JSON string)")
	errNotFinite = errors.New("is not a finite number")
	errNotNumber = errors.New("is not a number")
	errNull      = fmt.Errorf("%w: null stands for a removal, in a Patch Pack alone", errNotNumber)
)

// ParseNumber reads a decimal number. Integers beyond 2^53 and what no double
// can hold, like 1e400, are errors.
func ParseNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errNotFinite
	case err != nil:
		return 0, errNotNumber
	case math.IsNaN(v) || math.IsInf(v, 0):
		return 0, errNotFinite
	case math.Abs(v) >= MaxInteger && !strings.ContainsAny(s, ".eE"):
		return wholeNumber(s, v)
	}
	return v, nil
}

// wholeNumber checks an integer that is large enough to have been rounded.
func wholeNumber(s string, v float64) (float64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > MaxInteger || n < -MaxInteger {
		return 0, errInteger
	}
	return v, nil
}

// ParseTime turns seconds into microseconds. Below 2^28 s they are relative to
// the moment the message came in, else since 1970 UTC.
func ParseTime(seconds float64) (micros int64, relative bool, err error) {
	switch {
	case seconds > lastSecond:
		return 0, false, fmt.Errorf("time %g is after the year 9999: times are in seconds", seconds)
	case seconds < -relativeBelow:
		return 0, false, fmt.Errorf("time %g is more than 2^28 s ago: times below 2^28 are relative to now", seconds)
	}
	return int64(math.Round(seconds * 1e6)), seconds < relativeBelow, nil
}
