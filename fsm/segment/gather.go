package segment

import (
	"math"

	"skerry/fsm"
)

// A dictionary of numbers is kept when it has at most one value in so many rows.
const (
	timeShare  = 4
	valueShare = 3
)

// readingGroup is one row group of readings, in columns and in file order. It
// is used again for the next one.
type readingGroup struct {
	rows       *fsm.Rows
	names      *fsm.Names
	received   []int64  // of every row of rows
	seqs       []int64  // of every row of rows; nil where they count from rows.First
	seriesHash []uint64 // by series id, 0 before it is needed
	unitHash   []uint64 // by unit id, the same
	digest     fsm.RowDigest
	erased     bool // some row of the groups so far was

	rest func() // see fsm.Rester

	n      int   // rows in the group
	pages  []int // the row after each page
	seq    []int64
	time   []int64
	recv   []int64
	bits   []int64
	kind   []fsm.Kind
	series []fsm.SeriesName
	def    [colData + 1][]byte // of optional columns: 1, or 0 where null
	ids    [colData + 1][]int32
	dicts  [colData + 1]*dictionary

	seriesID, unitID          []uint32 // as in rows
	devices, resources, units *nameDictionary
	numbers                   numberDictionary
}

func newReadingGroup(rows *fsm.Rows, names *fsm.Names, rest func()) *readingGroup {
	g := emptyGroup(rows, names, min(rows.Len(), groupRows), rest)
	g.received = make([]int64, rows.Len())
	for i, s := range rows.Stamps {
		end := rows.Len()
		if i+1 < len(rows.Stamps) {
			end = min(int(rows.Stamps[i+1].Row), end)
		}
		for j := int(s.Row); j < end; j++ {
			if j%restRows == 0 {
				rest()
			}
			g.received[j] = s.Received
		}
	}
	return g
}

// emptyGroup has room for n rows, which are named by rows.Blob and names.
func emptyGroup(rows *fsm.Rows, names *fsm.Names, n int, rest func()) *readingGroup {
	g := &readingGroup{
		rows: rows, names: names, rest: rest,
		seriesHash: make([]uint64, len(names.Series)), unitHash: make([]uint64, len(names.Units)),
		seq: make([]int64, n), time: make([]int64, n), recv: make([]int64, n), bits: make([]int64, n),
		kind: make([]fsm.Kind, n), series: make([]fsm.SeriesName, n), seriesID: make([]uint32, n), unitID: make([]uint32, n),
	}
	for c := range g.def {
		g.def[c], g.ids[c] = make([]byte, n), make([]int32, n)
	}
	return g
}

// resize makes it a group of n rows, at most as many as it has room for.
func (g *readingGroup) resize(n int) {
	g.n = n
	g.seq, g.time, g.recv, g.bits, g.kind = g.seq[:n], g.time[:n], g.recv[:n], g.bits[:n], g.kind[:n]
	g.series, g.seriesID, g.unitID = g.series[:n], g.seriesID[:n], g.unitID[:n]
	for c := range g.def {
		g.def[c], g.ids[c] = g.def[c][:n], g.ids[c][:n]
	}
}

// gather takes the rows at these positions.
func (g *readingGroup) gather(at []uint32) {
	g.resize(len(at))
	// One column at a time: the rows lie all over memory, and short loops let
	// the processor wait for many of them at once.
	for lo := 0; lo < len(at); lo += restRows {
		hi := min(lo+restRows, len(at))
		part := at[lo:hi]
		pick(g.time[lo:], g.rows.Time, part)
		pick(g.recv[lo:], g.received, part)
		pick(g.bits[lo:], g.rows.Bits, part)
		pick(g.kind[lo:], g.rows.Kind, part)
		pick(g.seriesID[lo:], g.rows.Series, part)
		pick(g.unitID[lo:], g.rows.Unit, part)
		g.rest()
	}
	for i, p := range at {
		g.seq[i] = int64(g.rows.First) + int64(p)
		if g.seqs != nil {
			g.seq[i] = g.seqs[p]
		}
	}
	g.prepare()
}

// prepare makes pages and dictionaries of the rows that the group was given,
// and adds the rows to the digest.
func (g *readingGroup) prepare() {
	g.pages = g.pages[:0]
	for c := range g.def {
		clear(g.def[c])
	}
	g.devices, g.resources, g.units = newNameDictionary(), newNameDictionary(), newNameDictionary()
	series, unit := uint32(math.MaxUint32), uint32(math.MaxUint32)
	start, size := 0, 0 // of the page: first row, bytes of text and data
	for i := range g.n {
		if i%restRows == 0 {
			g.rest()
		}
		if s := g.seriesID[i]; s == series {
			g.sameSeries(i)
		} else {
			series = s
			g.takeSeries(i, s)
		}
		if u := g.unitID[i]; u == unit {
			g.sameUnit(i)
		} else {
			unit = u
			g.takeUnit(i, u)
		}
		value, more := g.takeValue(i)
		if fsm.IsErased(g.series[i].Device) {
			g.erased = true
			g.digest.Add(fsm.HashErased(g.blob(i)))
		} else {
			g.digest.Add(fsm.HashRow(fsm.Seq(g.seq[i]), g.seriesHash[series], g.unitHash[unit], g.time[i], g.recv[i], value))
		}
		if i > start && (i-start == pageRows || size+more > pageBytes) {
			g.pages = append(g.pages, i)
			start, size = i, 0
		}
		size += more
	}
	g.pages = append(g.pages, g.n)
	g.makeDictionaries(g.n)
}

// pick fills dst with the elements of src at these positions.
func pick[D, S int64 | uint64 | uint32 | fsm.Kind](dst []D, src []S, at []uint32) {
	for i, p := range at {
		dst[i] = D(src[p])
	}
}

// takeSeries sets the names of row i; sameSeries those of the row before.
func (g *readingGroup) takeSeries(i int, id uint32) {
	name := g.names.Series[id]
	if g.seriesHash[id] == 0 {
		g.seriesHash[id] = fsm.HashSeries(name.Device, name.Resource)
	}
	g.series[i] = name
	g.ids[colDevice][i], g.ids[colResource][i] = g.devices.id(name.Device), g.resources.id(name.Resource)
}

func (g *readingGroup) sameSeries(i int) {
	g.series[i] = g.series[i-1]
	g.ids[colDevice][i], g.ids[colResource][i] = g.ids[colDevice][i-1], g.ids[colResource][i-1]
}

// takeUnit sets the unit of row i; sameUnit that of the row before.
func (g *readingGroup) takeUnit(i int, id uint32) {
	name := g.names.Units[id]
	if g.unitHash[id] == 0 {
		g.unitHash[id] = fsm.HashString(name)
	}
	if name != "" {
		g.ids[colUnit][i], g.def[colUnit][i] = g.units.id(name), 1
	}
}

func (g *readingGroup) sameUnit(i int) {
	g.ids[colUnit][i], g.def[colUnit][i] = g.ids[colUnit][i-1], g.def[colUnit][i-1]
}

// takeValue puts the value of row i into its column, and returns its hash and
// its bytes of text or data.
func (g *readingGroup) takeValue(i int) (hash uint64, size int) {
	kind := g.kind[i]
	g.def[columnOf(kind)][i] = 1
	if kind == fsm.Number || kind == fsm.Flag {
		return fsm.HashBits(kind, uint64(g.bits[i])), 0
	}
	b := g.blob(i)
	return fsm.HashBytes(kind, b), len(b)
}

// blob is the text or data of row i.
func (g *readingGroup) blob(i int) []byte {
	b := uint64(g.bits[i])
	return g.rows.Blob[b>>32:][:uint32(b)]
}

func (g *readingGroup) makeDictionaries(n int) {
	g.dicts = [colData + 1]*dictionary{colDevice: g.devices.page(), colResource: g.resources.page()}
	numbers := func(values []int64, def []byte, ids []int32, limit int) *dictionary {
		g.rest()
		return g.numbers.build(values, def, ids, limit)
	}
	g.dicts[colTime] = numbers(g.time, nil, g.ids[colTime], n/timeShare)
	g.dicts[colReceived] = numbers(g.recv, nil, g.ids[colReceived], n/timeShare)
	g.dicts[colValue] = numbers(g.bits, g.def[colValue], g.ids[colValue], n/valueShare)
	if len(g.units.names) > 0 {
		g.dicts[colUnit] = g.units.page()
	}
}

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

func (g *readingGroup) stats() Stats {
	n := g.n
	least, greatest := nameBounds(func(i int) string { return g.series[i].Resource })(0, n)
	return Stats{
		Rows: n, Seq: rangeOf(g.seq), Time: rangeOf(g.time), Received: rangeOf(g.recv),
		Device:   NameRange{g.series[0].Device, g.series[n-1].Device},
		Resource: NameRange{string(least), string(greatest)},
	}
}
