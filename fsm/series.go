package fsm

import "slices"

// Bounds of what a site keeps of its series at any time. An item that would
// pass one is refused with SeriesFull.
const (
	MaxSeries      = 1 << 18  // (device, resource) pairs ever seen
	MaxUnits       = 1 << 14  // units ever seen
	MaxLatestBytes = 64 << 20 // bytes of texts and data among the latest readings
)

// seriesTable has the names of series and units and the latest reading and
// frame of each series. Names are only ever added; ids count from 0.
type seriesTable struct {
	names      Names
	ids        map[string]uint32 // by device, 0, resource: names have no control characters
	newest     map[string]uint32 // the newest series of each device
	before     []uint32          // by series id: the one before it of its device, plus 1; 0 for none
	unitIDs    map[string]uint32
	hashes     []uint64 // HashSeries by series id
	unitHashes []uint64 // HashString by unit id

	latest      pages[latest] // by series id
	latestBytes int           // of the payloads in latest

	frames     pages[Frame]      // latest frames in the order of their series' first one
	frameSlots map[uint32]uint32 // index into frames by series id

	key []byte // scratch
}

// latest is a series' reading with the highest seq. Its seq is 0 for a series
// that has frames only.
type latest struct {
	seq      Seq
	time     int64
	received int64
	bits     uint64 // of a number or a flag
	payload  []byte // of a text or of data
	digest   RowDigest
	unit     uint32
	kind     Kind
}

func newSeriesTable() seriesTable {
	return seriesTable{
		names:      Names{Units: []string{""}},
		ids:        make(map[string]uint32),
		newest:     make(map[string]uint32),
		unitIDs:    map[string]uint32{"": 0},
		unitHashes: []uint64{HashString("")},
		frameSlots: make(map[uint32]uint32),
	}
}

func appendSeriesKey[T string | []byte](b []byte, device, resource T) []byte {
	b = append(b, device...)
	b = append(b, 0)
	return append(b, resource...)
}

// lookup only reads, so that readers may share the table.
func (t *seriesTable) lookup(device, resource string) (uint32, bool) {
	var buf [MaxDevice + 1 + MaxResource]byte
	id, ok := t.ids[string(appendSeriesKey(buf[:0], device, resource))]
	return id, ok
}

// has is lookup for Apply, without copying names.
func (t *seriesTable) has(device, resource []byte) bool {
	t.key = appendSeriesKey(t.key[:0], device, resource)
	_, ok := t.ids[string(t.key)]
	return ok
}

// intern returns the id of a series, which it adds if need be.
func (t *seriesTable) intern(device, resource []byte) uint32 {
	t.key = appendSeriesKey(t.key[:0], device, resource)
	if id, ok := t.ids[string(t.key)]; ok {
		return id
	}
	// The map's key and both names share one string.
	key := string(t.key)
	id := uint32(len(t.names.Series))
	name := SeriesName{Device: key[:len(device)], Resource: key[len(device)+1:]}
	t.ids[key] = id
	if newest, ok := t.newest[name.Device]; ok {
		t.before = append(t.before, newest+1)
	} else {
		t.before = append(t.before, 0)
	}
	t.newest[name.Device] = id
	t.names.Series = append(t.names.Series, name)
	t.hashes = append(t.hashes, HashSeries(name.Device, name.Resource))
	t.latest.grow()
	return id
}

// of calls yield with each series of a device, the newest first.
func (t *seriesTable) of(device string, yield func(id uint32) bool) {
	id, ok := t.newest[device]
	for ok && yield(id) {
		ok = t.before[id] > 0
		id = t.before[id] - 1
	}
}

func (t *seriesTable) internUnit(unit []byte) uint32 {
	if id, ok := t.unitIDs[string(unit)]; ok {
		return id
	}
	name := string(unit)
	id := uint32(len(t.names.Units))
	t.unitIDs[name] = id
	t.names.Units = append(t.names.Units, name)
	t.unitHashes = append(t.unitHashes, HashString(name))
	return id
}

// room tells whether an item fits in the bounds. It counts a series that the
// item names twice twice, and a payload that replaces another as added: within
// one item of a bound that refuses early, the same on every replica.
func (t *seriesTable) room(v *batchView, it *viewItem) bool {
	records := it.end - it.start
	if it.payload > 0 && t.latestBytes+it.payload > MaxLatestBytes {
		return false
	}
	series, units := len(t.names.Series), len(t.names.Units)
	if series+records <= MaxSeries && units+records <= MaxUnits {
		return true
	}
	for i := it.start; i < it.end; i++ {
		if !t.has(v.names[v.device[i]].bytes, v.names[v.resource[i]].bytes) {
			series++
		}
		if u := v.unit[i]; u != 0 {
			if _, ok := t.unitIDs[string(v.names[u-1].bytes)]; !ok {
				units++
			}
		}
	}
	return series <= MaxSeries && units <= MaxUnits
}

// set makes a reading the latest of its series. The payload is copied: it must
// not keep the entry or a whole head in memory.
func (t *seriesTable) set(id uint32, l latest) {
	was := t.latest.edit(int(id))
	t.latestBytes += len(l.payload) - len(was.payload)
	if len(l.payload) > 0 {
		l.payload = slices.Clone(l.payload)
	}
	*was = l
}

func (t *seriesTable) setFrame(id uint32, f *Frame) {
	if slot, ok := t.frameSlots[id]; ok {
		*t.frames.edit(int(slot)) = *f
		return
	}
	t.frameSlots[id] = uint32(t.frames.len())
	*t.frames.grow() = *f
}

func (t *seriesTable) reading(id uint32) (Reading, bool) {
	l := t.latest.at(int(id))
	name := t.names.Series[id]
	r := Reading{
		Seq: l.seq, Device: name.Device, Resource: name.Resource, Unit: t.names.Units[l.unit],
		Time: l.time, Received: l.received,
	}
	switch l.kind {
	case Text:
		r.Value = TextValue(string(l.payload))
	case Data:
		r.Value = DataValue(l.payload)
	default:
		r.Value = rowValue(l.kind, l.bits, nil)
	}
	return r, l.seq != 0
}

// digest is the sum over the latest readings and frames.
func (t *seriesTable) digest() RowDigest {
	var sum RowDigest
	for i := range t.latest.n {
		sum.Add(t.latest.at(i).digest)
	}
	for i := range t.frames.n {
		sum.Add(HashFrame(t.frames.at(i)))
	}
	return sum
}
