package segment

import (
	"encoding/binary"
	"math"
)

// numberBounds follows Parquet's rule for zeros: a least 0 is written as -0,
// a greatest -0 as +0, since readers may take them for equal.
func (g *readingGroup) numberBounds(lo, hi int) (least, greatest []byte) {
	from, to := math.Inf(1), math.Inf(-1)
	for i := lo; i < hi; i++ {
		if g.def[colValue][i] != 0 {
			v := math.Float64frombits(uint64(g.bits[i]))
			from, to = min(from, v), max(to, v)
		}
	}
	if from > to {
		return nil, nil
	}
	if from == 0 {
		from = math.Copysign(0, -1)
	}
	if to == 0 {
		to = 0
	}
	return binary.LittleEndian.AppendUint64(nil, math.Float64bits(from)), binary.LittleEndian.AppendUint64(nil, math.Float64bits(to))
}

func intBounds(values []int64) func(lo, hi int) (least, greatest []byte) {
	return func(lo, hi int) (least, greatest []byte) {
		r := rangeOf(values[lo:hi])
		return binary.LittleEndian.AppendUint64(nil, uint64(r.Min)), binary.LittleEndian.AppendUint64(nil, uint64(r.Max))
	}
}

func nameBounds(name func(i int) string) func(lo, hi int) (least, greatest []byte) {
	return func(lo, hi int) (least, greatest []byte) {
		r := NameRange{name(lo), name(lo)}
		for i := lo + 1; i < hi; i++ {
			n := name(i)
			if n < r.Min {
				r.Min = n
			} else if n > r.Max {
				r.Max = n
			}
		}
		return []byte(r.Min), []byte(r.Max)
	}
}

func rangeOf(values []int64) Range {
	r := Range{values[0], values[0]}
	for _, v := range values[1:] {
		r.Min, r.Max = min(r.Min, v), max(r.Max, v)
	}
	return r
}
