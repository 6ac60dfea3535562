package segment

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

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
	sorted := order(rows, names)
	g := newReadingGroup(rows, names)
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
	m := Meta{Site: site, Stream: fsm.Readings, Cut: cut}
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

// readingGroup is one row group of readings, in columns and in file order.
type readingGroup struct {
	rows     *fsm.Rows
	names    *fsm.Names
	received []int64 // of every row of rows
	digest   fsm.RowDigest

	at     []uint32 // file order: positions in rows
	pages  []int
	series []fsm.SeriesName // of each row; strings shared with names
	seq    []int64
	time   []int64
	recv   []int64
	bits   []int64
	def    [colData + 1][]byte // of optional columns
	ids    [colData + 1][]int32
	dicts  [colData + 1]*dictionary
	number numberDictionary
}

func newReadingGroup(rows *fsm.Rows, names *fsm.Names) *readingGroup {
	n := min(rows.Len(), groupRows)
	g := &readingGroup{
		rows: rows, names: names, received: make([]int64, rows.Len()),
		series: make([]fsm.SeriesName, n), seq: make([]int64, n), time: make([]int64, n), recv: make([]int64, n), bits: make([]int64, n),
	}
	for i := range g.def {
		g.def[i], g.ids[i] = make([]byte, n), make([]int32, n)
	}
	for i, s := range rows.Stamps {
		end := rows.Len()
		if i+1 < len(rows.Stamps) {
			end = min(int(rows.Stamps[i+1].Row), end)
		}
		for j := int(s.Row); j < end; j++ {
			g.received[j] = s.Received
		}
	}
	return g
}

// gather takes the rows at the positions in at.
func (g *readingGroup) gather(at []uint32) {
	n := len(at)
	g.at = at
	g.series, g.seq, g.time, g.recv, g.bits = g.series[:n], g.seq[:n], g.time[:n], g.recv[:n], g.bits[:n]
	for c := range g.def {
		g.def[c], g.ids[c] = g.def[c][:n], g.ids[c][:n]
		clear(g.def[c])
	}
	g.pages = g.pages[:0]

	devices, resources, units := newNameDictionary(), newNameDictionary(), newNameDictionary()
	unitIDs := make([]int32, len(g.names.Units)) // id+1
	unitHash := make([]uint64, len(g.names.Units))
	var series uint32 = math.MaxUint32
	var seriesHash uint64
	var device, resource int32
	start, blob := 0, 0
	for i, p := range at {
		if s := g.rows.Series[p]; s != series {
			series = s
			name := g.names.Series[s]
			device, resource = devices.id(name.Device), resources.id(name.Resource)
			seriesHash = fsm.HashSeries(name.Device, name.Resource)
		}
		g.series[i] = g.names.Series[series]
		g.ids[colDevice][i], g.ids[colResource][i] = device, resource
		u := g.rows.Unit[p]
		if unitIDs[u] == 0 {
			unitIDs[u] = 1
			unitHash[u] = fsm.HashString(g.names.Units[u])
			if u != 0 {
				unitIDs[u] = units.id(g.names.Units[u]) + 1
			}
		}
		if u != 0 {
			g.ids[colUnit][i], g.def[colUnit][i] = unitIDs[u]-1, 1
		}
		g.seq[i] = int64(g.rows.First) + int64(p)
		g.time[i], g.recv[i] = g.rows.Time[p], g.received[p]
		kind, bits := g.rows.Kind[p], g.rows.Bits[p]
		g.bits[i] = int64(bits)
		g.def[columnOf(kind)][i] = 1
		value, size := fsm.HashBits(kind, bits), 0
		if kind == fsm.Text || kind == fsm.Data {
			size = int(uint32(bits))
			value = fsm.HashBytes(kind, g.blob(i))
		}
		g.digest.Add(fsm.HashRow(fsm.Seq(g.seq[i]), seriesHash, unitHash[u], g.time[i], g.recv[i], value))

		if i > start && (i-start == pageRows || blob+size > pageBytes) {
			g.pages = append(g.pages, i)
			start, blob = i, 0
		}
		blob += size
	}
	g.pages = append(g.pages, n)
	g.dicts = [colData + 1]*dictionary{colDevice: devices.page(), colResource: resources.page()}
	if len(units.names) > 0 {
		g.dicts[colUnit] = units.page()
	}
	g.dicts[colTime] = g.number.build(g.time, nil, g.ids[colTime], n/timeShare)
	g.dicts[colReceived] = g.number.build(g.recv, nil, g.ids[colReceived], n/timeShare)
	g.dicts[colValue] = g.number.build(g.bits, g.def[colValue], g.ids[colValue], n/valueShare)
}

// A dictionary is kept when it has at most one value in so many rows.
const (
	timeShare  = 4
	valueShare = 3
)

// columnOf is the column that holds the values of a kind.
func columnOf(k fsm.Kind) int {
	switch k {
	case fsm.Number:
		return colValue
	case fsm.Flag:
		return colFlag
	case fsm.Text:
		return colText
	}
	return colData
}

func (g *readingGroup) blob(i int) []byte {
	b := uint64(g.bits[i])
	return g.rows.Blob[b>>32:][:uint32(b)]
}

func (g *readingGroup) write(f *file) error {
	f.begin(len(g.at))
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
			k.put = func(dst []byte, _, _ int) ([]byte, error) { return dst, nil } // all null
		case colValue:
			k.put, k.bounds = g.putNumbers, g.numberBounds
		case colFlag:
			k.put = g.putFlags
		case colText, colData:
			k.put = func(dst []byte, lo, hi int) ([]byte, error) { return g.putBlobs(dst, k.def, lo, hi), nil }
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

func (g *readingGroup) putBlobs(dst, def []byte, lo, hi int) []byte {
	for i := lo; i < hi; i++ {
		if def[i] != 0 {
			b := g.blob(i)
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
			dst = append(dst, b...)
		}
	}
	return dst
}

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

func putInts(values []int64) func(dst []byte, lo, hi int) ([]byte, error) {
	return func(dst []byte, lo, hi int) ([]byte, error) {
		for _, v := range values[lo:hi] {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
		}
		return dst, nil
	}
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

func (g *readingGroup) stats() Stats {
	n := len(g.at)
	least, greatest := nameBounds(func(i int) string { return g.series[i].Resource })(0, n)
	return Stats{
		Rows: n, Seq: rangeOf(g.seq), Time: rangeOf(g.time), Received: rangeOf(g.recv),
		Device:   NameRange{g.series[0].Device, g.series[n-1].Device},
		Resource: NameRange{string(least), string(greatest)},
	}
}
