package segment

import (
	"encoding/binary"
	"fmt"
	"io"

	"skerry/fsm"
)

// Write writes a readings segment: rows must be exactly the cut's, else
// ErrOtherRows and what was written is no segment. It needs memory for the
// order of the rows (12 bytes a row) and one row group.
func Write(w io.Writer, site string, cut fsm.Cut, rows *fsm.Rows, names *fsm.Names) (Stats, error) {
	if rows.Len() == 0 || rows.First != cut.First || rows.Last() != cut.Last {
		return Stats{}, fmt.Errorf("%w: seq %d to %d for %d to %d", ErrOtherRows, rows.First, rows.Last(), cut.First, cut.Last)
	}
	if rows.Len() > maxRows {
		return Stats{}, fmt.Errorf("segment of %d rows, at most %d can be read back", rows.Len(), maxRows)
	}
	f, err := create(w, readingColumns)
	if err != nil {
		return Stats{}, err
	}
	sorted := order(rows, names, f.rest)
	g := newReadingGroup(rows, names, f.rest)
	var stats Stats
	for len(sorted) > 0 {
		n := min(len(sorted), groupRows)
		g.gather(sorted[:n])
		sorted = sorted[n:]
		if err := g.write(f); err != nil {
			return Stats{}, fmt.Errorf("write segment: %w", err)
		}
		stats.add(g.stats())
	}
	if g.digest != cut.Digest {
		return Stats{}, fmt.Errorf("%w: their digest differs", ErrOtherRows)
	}
	m := Meta{Site: site, Stream: fsm.Readings, Cut: cut, Erased: g.erased}
	if err := f.close(m.pairs()); err != nil {
		return Stats{}, fmt.Errorf("write segment: %w", err)
	}
	stats.Size = f.off
	return stats, nil
}

// WriteReadings is Write for readings in seq order.
func WriteReadings(w io.Writer, site string, cut fsm.Cut, readings []fsm.Reading) (Stats, error) {
	rows, names, err := Columns(readings)
	if err != nil {
		return Stats{}, err
	}
	return Write(w, site, cut, rows, names)
}

func (g *readingGroup) write(f *file) error {
	f.begin(g.n)
	for c := range f.columns {
		k := chunk{pages: g.pages, dict: g.dicts[c], ids: g.ids[c]}
		if f.columns[c].optional {
			k.def = g.def[c]
		}
		switch c {
		case colSeq:
			k.put, k.bounds = putInts(g.seq), intBounds(g.seq)
		case colTime:
			k.put, k.bounds = putInts(g.time), intBounds(g.time)
		case colReceived:
			k.put, k.bounds = putInts(g.recv), intBounds(g.recv)
		case colDevice:
			k.bounds = nameBounds(func(i int) string { return g.series[i].Device })
		case colResource:
			k.bounds = nameBounds(func(i int) string { return g.series[i].Resource })
		case colUnit:
			k.put = putNothing // without a dictionary all are null
		case colValue:
			k.put, k.bounds = g.putNumbers, g.numberBounds
		case colFlag:
			k.put = g.putFlags
		case colText, colData:
			k.put = g.putBlobs(k.def)
		}
		if err := f.chunk(&k); err != nil {
			return err
		}
	}
	return nil
}

func (g *readingGroup) putNumbers(dst []byte, lo, hi int) ([]byte, error) {
	for i := lo; i < hi; i++ {
		if g.def[colValue][i] != 0 {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(g.bits[i]))
		}
	}
	return dst, nil
}

// putFlags packs 8 flags a byte, the first in the lowest bit.
func (g *readingGroup) putFlags(dst []byte, lo, hi int) ([]byte, error) {
	n := 0
	for i := lo; i < hi; i++ {
		if g.def[colFlag][i] == 0 {
			continue
		}
		if n%8 == 0 {
			dst = append(dst, 0)
		}
		dst[len(dst)-1] |= byte(g.bits[i]&1) << (n % 8)
		n++
	}
	return dst, nil
}

func (g *readingGroup) putBlobs(def []byte) func(dst []byte, lo, hi int) ([]byte, error) {
	return func(dst []byte, lo, hi int) ([]byte, error) {
		for i := lo; i < hi; i++ {
			if def[i] != 0 {
				b := g.blob(i)
				dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
				dst = append(dst, b...)
			}
		}
		return dst, nil
	}
}

func putNothing(dst []byte, _, _ int) ([]byte, error) { return dst, nil }

func putInts(values []int64) func(dst []byte, lo, hi int) ([]byte, error) {
	return func(dst []byte, lo, hi int) ([]byte, error) {
		for _, v := range values[lo:hi] {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
		}
		return dst, nil
	}
}
