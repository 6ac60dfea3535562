package logstore

import (
	"time"

	"github.com/hashicorp/raft"
)

// NewLog wraps inner; failed is called once, with the first write error.
func NewLog(inner raft.LogStore, failed func(error)) *Log {
	return newLog(inner, newGuard(failed, 0), nil)
}

// EncodeVotes is the bytes of votes.
func EncodeVotes(m map[string]string) ([]byte, error) { return encodeVotes(m) }

// DecodeVotes reads votes.
func DecodeVotes(b []byte) (map[string]string, error) { return decodeVotes(b) }

// EncodeHint is the bytes of a hint.
func EncodeHint(last, first uint64, lost bool, why string) []byte {
	return hintValue{last, first, lost, why}.encode()
}

// DecodeHint reads a hint.
func DecodeHint(b []byte) (last, first uint64, lost bool, why string, err error) {
	v, err := decodeHint(b)
	return v.last, v.first, v.lost, v.why, err
}

// StallTicks is in how many steps a stall is counted.
const StallTicks = stallTicks

// Guard watches writes with a timer of the test's.
type Guard struct{ g *guard }

// Timer is of one step.
type Timer interface {
	Reset(time.Duration) bool
	Stop() bool
}

// NewGuard returns one that fails after a stall; after begins a step.
func NewGuard(failed func(error), stall time.Duration, after func(d time.Duration, fire func()) Timer) Guard {
	g := newGuard(failed, stall)
	g.after = func(d time.Duration, f func()) stepper { return after(d, f) }
	return Guard{g}
}

// Write does one write.
func (g Guard) Write(do func() error) error { return g.g.write("write", do) }
