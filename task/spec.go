package task

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"skerry/fsm"
)

// comparisons in the order in which a prefix is tried: longer ones first.
var comparisons = [...]string{">=", "<=", "!=", ">", "<", "="}

// NewCount is the spec of a count as people write it: a device pattern, a
// resource, a comparison as ParseWhere reads it, a window length, and the
// output as DEVICE/RESOURCE, split at the last '/'.
func NewCount(device, resource, where string, every time.Duration, output string) (fsm.TaskSpec, error) {
	op, operand, err := ParseWhere(where)
	if err != nil {
		return fsm.TaskSpec{}, err
	}
	cut := strings.LastIndexByte(output, '/')
	if cut < 0 {
		return fsm.TaskSpec{}, fmt.Errorf("output %q has no '/': give DEVICE/RESOURCE", output)
	}
	spec := fsm.TaskSpec{
		Kind: "count", Device: device, Resource: resource, Op: op, Operand: operand,
		Every: every.Microseconds(), OutputDevice: output[:cut], OutputResource: output[cut+1:],
	}
	return spec, spec.Validate()
}

// ParseWhere reads a comparison such as "> 10" or "!= 0"; "" compares nothing,
// so that every reading counts.
func ParseWhere(where string) (op string, operand float64, err error) {
	where = strings.TrimSpace(where)
	if where == "" {
		return "", 0, nil
	}
	for _, c := range comparisons {
		rest, found := strings.CutPrefix(where, c)
		if !found {
			continue
		}
		operand, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		if err != nil || math.IsNaN(operand) || math.IsInf(operand, 0) {
			return "", 0, fmt.Errorf("comparison %q has no number after %q: write it like \"> 10\"", where, c)
		}
		return c, operand, nil
	}
	return "", 0, fmt.Errorf("comparison %q begins with none of > >= < <= = !=: write it like \"> 10\"", where)
}

// FormatWhere is the comparison of a spec as ParseWhere reads it.
func FormatWhere(s *fsm.TaskSpec) string {
	if s.Op == "" {
		return ""
	}
	return s.Op + " " + fsm.FormatNumber(s.Operand)
}
