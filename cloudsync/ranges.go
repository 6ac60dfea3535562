package cloudsync

import "skerry/fsm"

// minus is what is in a and not in b.
func minus(a, b fsm.IntervalSet) []fsm.Interval {
	var out []fsm.Interval
	for _, v := range a {
		for _, w := range b {
			if w.Last < v.First {
				continue
			}
			if w.First > v.Last {
				break
			}
			if w.First > v.First {
				out = append(out, fsm.Interval{First: v.First, Last: w.First - 1})
			}
			v.First = w.Last + 1
		}
		if v.First <= v.Last {
			out = append(out, v)
		}
	}
	return out
}

// upTo is the set of 1..last.
func upTo(last fsm.Seq) fsm.IntervalSet {
	if last == 0 {
		return nil
	}
	return fsm.IntervalSet{{First: 1, Last: last}}
}

// rows is how many seqs are in some ranges.
func rows(ranges []fsm.Interval) uint64 {
	var n uint64
	for _, v := range ranges {
		n += uint64(v.Last - v.First + 1)
	}
	return n
}
