package faultlab

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what a run did and found. It is what the runner and its children
// exchange, as JSON.
type Report struct {
	Seed       uint64         `json:"seed"`
	Mode       Mode           `json:"mode"`
	Nodes      int            `json:"nodes"`
	Profile    string         `json:"profile"`
	Virtual    time.Duration  `json:"virtual"`
	Wall       time.Duration  `json:"wall"`
	Faults     map[string]int `json:"faults"`
	Counts     map[string]int `json:"counts"` // operations and what became of them
	Violations []string       `json:"violations"`
	Trace      string         `json:"trace,omitempty"` // file, of a run with violations
}

// FaultSum is the number of all faults.
func (r *Report) FaultSum() (n int) {
	for _, k := range r.Faults {
		n += k
	}
	return n
}

// Add joins another run's figures to r.
func (r *Report) Add(o Report) {
	if r.Faults == nil {
		r.Faults, r.Counts = map[string]int{}, map[string]int{}
	}
	r.Virtual += o.Virtual
	for k, v := range o.Faults {
		r.Faults[k] += v
	}
	for k, v := range o.Counts {
		r.Counts[k] += v
	}
	for _, v := range o.Violations {
		r.Violations = append(r.Violations, fmt.Sprintf("seed %d: %s", o.Seed, v))
	}
}

// counted is "3 a, 1 b", by name.
func counted(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], k))
	}
	return strings.Join(parts, ", ")
}

// String is some lines for people.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.2f virtual hours, %d faults, %d violations\n", r.Virtual.Hours(), r.FaultSum(), len(r.Violations))
	fmt.Fprintf(&b, "  faults: %s\n", counted(r.Faults))
	fmt.Fprintf(&b, "  counts: %s", counted(r.Counts))
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "\n  VIOLATION %s", v)
	}
	return b.String()
}
