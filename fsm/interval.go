package fsm

import (
	"slices"
	"sort"
)

// IntervalSet is a set of positions as ascending ranges that neither overlap
// nor touch. A set that was handed out never changes.
type IntervalSet []Interval

// With is the union of the set and a range.
func (s IntervalSet) With(add Interval) IntervalSet {
	// Ranges before lo end below add and do not touch it; those from hi on
	// begin above it. Last+1 does not overflow: seqs are counted from 1.
	lo, _ := slices.BinarySearchFunc(s, add.First, func(iv Interval, first Seq) int {
		if iv.Last+1 < first {
			return -1
		}
		return 1
	})
	hi := lo
	for hi < len(s) && s[hi].First <= add.Last+1 {
		add.First = min(add.First, s[hi].First)
		add.Last = max(add.Last, s[hi].Last)
		hi++
	}
	out := make(IntervalSet, 0, len(s)-(hi-lo)+1)
	out = append(out, s[:lo]...)
	out = append(out, add)
	return append(out, s[hi:]...)
}

// Without is the set without the positions of a range.
func (s IntervalSet) Without(take Interval) IntervalSet {
	var out IntervalSet
	for _, iv := range s {
		if iv.First < take.First {
			out = append(out, Interval{iv.First, min(iv.Last, take.First-1)})
		}
		if iv.Last > take.Last {
			out = append(out, Interval{max(iv.First, take.Last+1), iv.Last})
		}
	}
	return out
}

// Overlap is how many positions of a range are in the set.
func (s IntervalSet) Overlap(with Interval) uint64 {
	var n uint64
	for _, iv := range s {
		if first, last := max(iv.First, with.First), min(iv.Last, with.Last); first <= last {
			n += uint64(last - first + 1)
		}
	}
	return n
}

// Contains tells whether every position of a range is in the set.
func (s IntervalSet) Contains(r Interval) bool {
	return s.Overlap(r) == uint64(r.Last-r.First+1)
}

// lastFrom is the end of the range that has a position.
func (s IntervalSet) lastFrom(at Seq) (last Seq, ok bool) {
	i := sort.Search(len(s), func(i int) bool { return s[i].Last >= at })
	if i == len(s) || s[i].First > at {
		return 0, false
	}
	return s[i].Last, true
}

// Prefix is the last position up to which everything from 1 on is in the set,
// 0 for none.
func (s IntervalSet) Prefix() Seq {
	if len(s) == 0 || s[0].First > 1 {
		return 0
	}
	return s[0].Last
}

// valid tells whether a set that was read back is one, with no range above last.
func (s IntervalSet) valid(last Seq) bool {
	for i, iv := range s {
		if iv.First < 1 || iv.First > iv.Last || iv.Last > last || (i > 0 && iv.First <= s[i-1].Last+1) {
			return false
		}
	}
	return true
}
