package fsm

import "strconv"

// FormatNumber is the shortest decimal that reads back as the same number.
// Very large and very small magnitudes use an exponent.
func FormatNumber(v float64) string {
	if v == 0 || (v < 1e15 && v > -1e15 && (v >= 1e-6 || v <= -1e-6)) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
