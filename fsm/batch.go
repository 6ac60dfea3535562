package fsm

import (
	"encoding/binary"
	"math"
)

// Bounds of one sub-batch. A leader puts sub-batches into an entry up to the
// same bounds.
const (
	MaxBatchRecords = 4096
	MaxBatchBytes   = 256 << 10
)

// Layout of a sub-batch, the encoding of a Batch. It is packed by columns,
// because that is what the hot path costs least in.
//
//	offset size
//	0      1    format version, 1
//	1      8    born, log time in microseconds
//	9      8    waited, microseconds
//	17          uvarint number of items, of records, of names
//	            names: each uvarint length and bytes
//	            items: each 16 bytes of key, 1 byte that is 1 when 8 bytes of
//	            content follow and 0 when content is 0, uvarint number of records
//	            columns over all records of all items:
//	              device    uvarint, index of the name
//	              resource  uvarint, index of the name
//	              unit      uvarint, 1 + index of the name, 0 for none
//	              kind      1 byte, bit 7 set when the time is relative
//	              time      varint, difference from the record before
//	              value     number: 8 bytes of IEEE 754; flag: 1 byte, 0 or 1;
//	                        text and bytes: uvarint length and bytes
const (
	batchVersion  = 1
	bornOffset    = 1
	waitedOffset  = 9
	stampedSize   = 17 // version, born and waited: how sub-batches and frames begin
	relativeBit   = 0x80
	maxBatchNames = 3 * MaxBatchRecords
)

// SetBorn stamps born into an encoded sub-batch or frame.
func SetBorn(body []byte, born LogTime) {
	binary.LittleEndian.PutUint64(body[bornOffset:], uint64(born))
}

// SetWaited stamps the microseconds waited at the proposer into an encoded
// sub-batch or frame.
func SetWaited(body []byte, waited int64) {
	binary.LittleEndian.PutUint64(body[waitedOffset:], uint64(waited))
}

// EncodeBatch appends the sub-batch of batch to b. It encodes what it is
// given: CheckBatch tells whether a site takes it.
func EncodeBatch(b []byte, batch *Batch) []byte {
	var e Encoder
	return e.Append(b, batch)
}

// Encoder encodes sub-batches and keeps its scratch memory between them. The
// zero Encoder is ready; it is not safe for concurrent use.
type Encoder struct {
	index   map[string]uint32
	names   []string
	columns []nameColumns
}

type nameColumns struct{ device, resource, unit uint32 }

// Append appends the sub-batch of batch to b.
func (e *Encoder) Append(b []byte, batch *Batch) []byte {
	records := e.gather(batch.Items)
	b = append(b, batchVersion)
	b = binary.LittleEndian.AppendUint64(b, uint64(batch.Born))
	b = binary.LittleEndian.AppendUint64(b, uint64(batch.Waited))
	b = binary.AppendUvarint(b, uint64(len(batch.Items)))
	b = binary.AppendUvarint(b, uint64(records))
	b = binary.AppendUvarint(b, uint64(len(e.names)))
	for _, name := range e.names {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
	}
	for i := range batch.Items {
		b = appendItem(b, &batch.Items[i])
	}
	return e.appendColumns(b, batch.Items)
}

// gather fills the dictionary and the columns that index it, and returns the
// number of records. Runs of one name, which are the common case, skip the map.
func (e *Encoder) gather(items []Item) int {
	if e.index == nil {
		e.index = make(map[string]uint32)
	}
	clear(e.index)
	clear(e.names) // lets go of the strings
	e.names, e.columns = e.names[:0], e.columns[:0]
	var last nameColumns
	var device, resource, unit string
	for i := range items {
		for j := range items[i].Records {
			r := &items[i].Records[j]
			first := len(e.columns) == 0
			if first || r.Device != device {
				device, last.device = r.Device, e.name(r.Device)
			}
			if first || r.Resource != resource {
				resource, last.resource = r.Resource, e.name(r.Resource)
			}
			if r.Unit != unit {
				unit, last.unit = r.Unit, 0
				if unit != "" {
					last.unit = 1 + e.name(unit)
				}
			}
			e.columns = append(e.columns, last)
		}
	}
	return len(e.columns)
}

func (e *Encoder) name(s string) uint32 {
	if i, ok := e.index[s]; ok {
		return i
	}
	i := uint32(len(e.names))
	e.index[s] = i
	e.names = append(e.names, s)
	return i
}

func appendItem(b []byte, it *Item) []byte {
	b = append(b, it.Key[:]...)
	if it.Content == 0 {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		b = binary.LittleEndian.AppendUint64(b, it.Content)
	}
	return binary.AppendUvarint(b, uint64(len(it.Records)))
}

func (e *Encoder) appendColumns(b []byte, items []Item) []byte {
	for i := range e.columns {
		b = binary.AppendUvarint(b, uint64(e.columns[i].device))
	}
	for i := range e.columns {
		b = binary.AppendUvarint(b, uint64(e.columns[i].resource))
	}
	for i := range e.columns {
		b = binary.AppendUvarint(b, uint64(e.columns[i].unit))
	}
	for i := range items {
		for j := range items[i].Records {
			r := &items[i].Records[j]
			kind := byte(r.Value.Kind)
			if r.Relative {
				kind |= relativeBit
			}
			b = append(b, kind)
		}
	}
	var before int64
	for i := range items {
		for j := range items[i].Records {
			t := items[i].Records[j].Time
			b = binary.AppendVarint(b, t-before) // may wrap; so does the sum
			before = t
		}
	}
	for i := range items {
		for j := range items[i].Records {
			b = appendValue(b, &items[i].Records[j].Value)
		}
	}
	return b
}

func appendValue(b []byte, v *Value) []byte {
	switch v.Kind {
	case Number:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Number))
	case Flag:
		if v.Flag {
			return append(b, 1)
		}
		return append(b, 0)
	case Text:
		b = binary.AppendUvarint(b, uint64(len(v.Text)))
		return append(b, v.Text...)
	}
	b = binary.AppendUvarint(b, uint64(len(v.Data)))
	return append(b, v.Data...)
}
