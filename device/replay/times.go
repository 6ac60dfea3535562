package replay

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"skerry/device"
)

// layouts are the times that files hold, most telling first. Fractions of a
// second are taken wherever there are seconds.
var layouts = [...]string{
	time.RFC3339,
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04",
	"2006-01-02 15:04",
	"2006/01/02 15:04:05",
	"2006/01/02 15:04",
	"2006-01-02",
	"2006/01/02",
}

// unixMillis is from where on a Unix time is in milliseconds: as seconds it
// would lie beyond the year 5138.
const unixMillis = 1e11

// parseTime reads a time as microseconds since 1970. One without a zone is in
// loc. Plain numbers are Unix seconds, or milliseconds where they are large.
func parseTime(s string, loc *time.Location) (int64, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		if math.Abs(n) < unixMillis {
			n *= 1000
		}
		if !(math.Abs(n) < 1e15) {
			return 0, fmt.Errorf("time %q is out of range", s)
		}
		return checkTime(int64(math.Round(n*1000)), s)
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return checkTime(t.UnixMicro(), s)
		}
	}
	return 0, fmt.Errorf("%q is not a time: use RFC 3339, 2006/01/02 15:04, a date or Unix seconds", s)
}

func checkTime(micros int64, s string) (int64, error) {
	if micros < device.FirstTime {
		return 0, fmt.Errorf("time %q is before July 1978, which SenML cannot say", s)
	}
	return micros, nil
}

// ParseSpeed reads how many times faster than life to replay: "x3600", "1", or
// "max", which is 0.
func ParseSpeed(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	if s != "" && s[0] == 'x' {
		s = s[1:]
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("speed %q is not known: use x1, x3600 or max", s)
	}
	return v, nil
}
