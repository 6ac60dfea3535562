package fsm

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf8"
)

// CheckBatch tells whether a site takes the encoded sub-batch: its layout,
// bounds, names and values. A leader checks what it appends, so that a
// committed entry can always be decoded. Errors: ErrNewer, ErrCorrupt, and
// others that name the record that is wrong.
func CheckBatch(sub []byte) (items, records int, err error) {
	var v batchView
	if err := v.decode(sub); err != nil {
		return 0, 0, err
	}
	return len(v.items), len(v.kind), nil
}

// DecodeBatch is the inverse of EncodeBatch. Data shares memory with sub.
// Errors: as CheckBatch.
func DecodeBatch(sub []byte) (*Batch, error) {
	var v batchView
	if err := v.decode(sub); err != nil {
		return nil, err
	}
	b := &Batch{Born: v.born, Waited: v.waited, Items: make([]Item, len(v.items))}
	for i := range v.items {
		it := &v.items[i]
		b.Items[i] = Item{Key: it.key, Content: it.content, Records: make([]Record, 0, it.end-it.start)}
		for j := it.start; j < it.end; j++ {
			b.Items[i].Records = append(b.Items[i].Records, v.record(j))
		}
	}
	return b, nil
}

// batchView is a decoded and checked sub-batch: columns over the records, and
// names and payloads that share memory with its bytes. It is reused, so that
// decoding allocates nothing in the steady state.
type batchView struct {
	born   LogTime
	waited int64
	sub    []byte
	names  []viewName
	items  []viewItem

	device, resource []uint32 // index into names
	unit             []uint32 // 1 + index into names, 0 for none
	kind             []byte   // Kind, and relativeBit
	time             []int64
	bits             []uint64 // as Rows.Bits, with offsets into sub
}

type viewName struct {
	bytes []byte
	slash bool // it holds a '/', which a resource must not
}

type viewItem struct {
	key        Key
	content    uint64
	start, end int // its records
	payload    int // bytes of its texts and data
}

func (v *batchView) record(i int) Record {
	r := Record{
		Device:   string(v.names[v.device[i]].bytes),
		Resource: string(v.names[v.resource[i]].bytes),
		Time:     v.time[i],
		Relative: v.kind[i]&relativeBit != 0,
		Value:    rowValue(Kind(v.kind[i]&^relativeBit), v.bits[i], v.sub),
	}
	if v.unit[i] != 0 {
		r.Unit = string(v.names[v.unit[i]-1].bytes)
	}
	return r
}

func (v *batchView) decode(sub []byte) error {
	if len(sub) > MaxBatchBytes {
		return fmt.Errorf("sub-batch has %d bytes, at most %d are taken", len(sub), MaxBatchBytes)
	}
	if len(sub) > 0 && sub[0] > batchVersion {
		return fmt.Errorf("sub-batch has format %d, this program reads up to %d: %w", sub[0], batchVersion, ErrNewer)
	}
	if len(sub) < stampedSize || sub[0] != batchVersion {
		return fmt.Errorf("sub-batch of %d bytes does not begin as one: %w", len(sub), ErrCorrupt)
	}
	v.sub = sub
	v.born = LogTime(binary.LittleEndian.Uint64(sub[bornOffset:]))
	v.waited = int64(binary.LittleEndian.Uint64(sub[waitedOffset:]))
	if v.waited < 0 || v.waited > maxWaited {
		return fmt.Errorf("sub-batch waited %d us: %w", v.waited, ErrCorrupt)
	}
	c := cursor{b: sub, at: stampedSize}
	items, records, names := c.count(MaxBatchRecords), c.count(MaxBatchRecords), c.count(maxBatchNames)
	if err := v.decodeNames(&c, names); err != nil {
		return err
	}
	if err := v.decodeItems(&c, items, records); err != nil {
		return err
	}
	v.decodeColumns(&c, records)
	if c.bad || c.at != len(sub) {
		return fmt.Errorf("sub-batch is cut off or has bytes left: %w", ErrCorrupt)
	}
	return v.check()
}

func (v *batchView) decodeNames(c *cursor, n int) error {
	v.names = slices.Grow(v.names[:0], n)
	for range n {
		name := c.bytes(c.count(MaxDevice))
		if c.bad {
			break // decode says so
		}
		flaw, slash := nameFlaw(name)
		if flaw != "" {
			return fmt.Errorf("name %q in a sub-batch %s", name, flaw)
		}
		v.names = append(v.names, viewName{name, slash})
	}
	return nil
}

func (v *batchView) decodeItems(c *cursor, items, records int) error {
	v.items = slices.Grow(v.items[:0], items)
	at := 0
	for range items {
		it := viewItem{start: at}
		copy(it.key[:], c.bytes(len(it.key)))
		switch c.byte() {
		case 0:
		case 1:
			if it.content = c.uint64(); it.content == 0 {
				c.bad = true
			}
		default:
			c.bad = true
		}
		n := c.count(records - at)
		at += n
		it.end = at
		if c.bad || n == 0 {
			return fmt.Errorf("item %d of a sub-batch has no records or is cut off: %w", len(v.items), ErrCorrupt)
		}
		v.items = append(v.items, it)
	}
	if at != records {
		return fmt.Errorf("items have %d records and their sub-batch %d: %w", at, records, ErrCorrupt)
	}
	return nil
}

func (v *batchView) decodeColumns(c *cursor, n int) {
	names := len(v.names)
	v.device = c.indexes(v.device[:0], n, names-1)
	v.resource = c.indexes(v.resource[:0], n, names-1)
	v.unit = c.indexes(v.unit[:0], n, names)
	v.kind = append(v.kind[:0], c.bytes(n)...)
	v.time, v.bits = slices.Grow(v.time[:0], n), slices.Grow(v.bits[:0], n)
	if c.bad {
		return
	}
	var before int64
	for range n {
		before += c.varint()
		v.time = append(v.time, before)
	}
	item := 0
	for i, k := range v.kind {
		for i >= v.items[item].end {
			item++
		}
		var bits uint64
		switch Kind(k &^ relativeBit) {
		case Number:
			bits = c.uint64()
		case Flag:
			bits = uint64(c.byte())
		case Text:
			bits = c.payload(MaxText)
			v.items[item].payload += int(uint32(bits))
		case Data:
			bits = c.payload(MaxData)
			v.items[item].payload += int(uint32(bits))
		default:
			c.bad = true
		}
		if c.bad {
			return
		}
		v.bits = append(v.bits, bits)
	}
}

// check looks at what the layout does not already rule out. It says what
// Record.Validate says.
func (v *batchView) check() error {
	for i := range v.kind {
		device, resource := &v.names[v.device[i]], &v.names[v.resource[i]]
		ok := len(device.bytes) > 0 && len(resource.bytes) > 0 && len(resource.bytes) <= MaxResource && !resource.slash
		if u := v.unit[i]; u != 0 {
			n := len(v.names[u-1].bytes)
			ok = ok && n > 0 && n <= MaxUnit
		}
		ok = ok && validTime(v.time[i], v.kind[i]&relativeBit != 0)
		switch bits := v.bits[i]; Kind(v.kind[i] &^ relativeBit) {
		case Number:
			ok = ok && bits>>52&0x7ff != 0x7ff
		case Flag:
			ok = ok && bits <= 1
		case Text:
			ok = ok && utf8.Valid(v.sub[bits>>32:][:uint32(bits)])
		}
		if !ok {
			r := v.record(i)
			if err := r.Validate(); err != nil {
				return fmt.Errorf("record %d of a sub-batch: %w", i, err)
			}
			return fmt.Errorf("record %d of a sub-batch: %w", i, ErrCorrupt)
		}
	}
	return nil
}
