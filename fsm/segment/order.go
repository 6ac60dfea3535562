package segment

import (
	"cmp"
	"slices"

	"skerry/fsm"
)

// order is the rows' positions sorted by device, resource, time, seq. It calls rest
// as a fsm.Rester wants it.
func order(rows *fsm.Rows, names *fsm.Names, rest func()) []uint32 {
	present := make([]uint32, len(names.Series)) // rows of each series
	for part := range slices.Chunk(rows.Series, restRows) {
		for _, s := range part {
			present[s]++
		}
		rest()
	}
	var series []uint32
	for s, n := range present {
		if n > 0 {
			series = append(series, uint32(s))
		}
	}
	slices.SortFunc(series, func(a, b uint32) int { return compareSeries(names.Series[a], names.Series[b]) })

	starts := present // from here on: where the series' next row goes
	at := uint32(0)
	for _, s := range series {
		starts[s], at = at, at+present[s]
	}
	sorted := make([]uint32, rows.Len())
	for i, s := range rows.Series {
		if i%restRows == 0 {
			rest()
		}
		sorted[starts[s]] = uint32(i)
		starts[s]++
	}
	// Rows of a series lie in seq order now, which nearly always is time order.
	at = 0
	for _, s := range series {
		if at/restRows != starts[s]/restRows {
			rest()
		}
		part := sorted[at:starts[s]]
		at = starts[s]
		byTime := func(a, b uint32) int { return cmp.Compare(rows.Time[a], rows.Time[b]) }
		if !slices.IsSortedFunc(part, byTime) {
			slices.SortStableFunc(part, byTime)
		}
	}
	return sorted
}

func compareSeries(a, b fsm.SeriesName) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Resource, b.Resource))
}
