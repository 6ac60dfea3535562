package cluster

import "time"

// StampClock makes stamps of a wall clock.
type StampClock struct{ c stampClock }

// Stamp is the stamp at a moment of the monotonic clock.
func (s *StampClock) Stamp(wall, now time.Time) time.Time { return s.c.stamp(wall, now) }

// OffFromMedian is how far a clock is from the median of others.
var OffFromMedian = offFromMedian

// Received is that of the last entry, and whether its clock was known.
func (n *Node) Received() (time.Time, bool) {
	n.replica.mu.RLock()
	defer n.replica.mu.RUnlock()
	micros, known := n.replica.state.Received()
	return time.UnixMicro(micros), known
}
