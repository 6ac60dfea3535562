package segment

import (
	"encoding/binary"

	"github.com/parquet-go/parquet-go/format"
)

// vector is a decoded page of one column. Which slice is filled follows from
// the column's type; all have one element a row, zero where the row is null.
type vector struct {
	rows  int
	nulls int
	def   []byte   // 0 where the row is null; nil when the column is required
	ints  []int64  // INT64, INT32, DOUBLE (its bits), BOOLEAN
	ids   []int32  // BYTE_ARRAY with a dictionary
	names []string // the dictionary that ids point into
	blobs [][]byte // BYTE_ARRAY without one; they share the page's memory

	levels []int32 // scratch
}

// values is a dictionary as it is read.
type values struct {
	ints  []int64
	names []string
}

// decode reads the unpacked body of a data page of n rows.
func (v *vector) decode(col *column, dict *values, n int, body []byte) error {
	v.rows, v.nulls = n, 0
	if col.optional {
		var err error
		if body, err = v.decodeLevels(n, body); err != nil {
			return err
		}
	}
	if dict != nil {
		return v.decodeIDs(col, dict, body)
	}
	switch col.typ {
	case format.Int64, format.Double:
		return v.decodeFixed(body, 8)
	case format.Int32:
		return v.decodeFixed(body, 4)
	case format.Boolean:
		return v.decodeFlags(body)
	default:
		return v.decodeBlobs(body)
	}
}

// decodeLevels reads which rows are null.
func (v *vector) decodeLevels(n int, body []byte) (rest []byte, err error) {
	if len(body) < 4 {
		return nil, damaged("page ends in its levels")
	}
	size := binary.LittleEndian.Uint32(body)
	body = body[4:]
	if uint64(size) > uint64(len(body)) {
		return nil, damaged("page ends in its levels")
	}
	v.levels = resize(v.levels, n)
	if err := decodeHybrid(v.levels, 1, body[:size]); err != nil {
		return nil, err
	}
	v.def = resize(v.def, n)
	for i, l := range v.levels {
		v.def[i] = byte(l)
		v.nulls += 1 - int(l)
	}
	return body[size:], nil
}

func (v *vector) present(i int) bool { return v.def == nil || v.def[i] != 0 }

func (v *vector) decodeIDs(col *column, dict *values, body []byte) error {
	if len(body) < 1 {
		return damaged("page without a bit width")
	}
	v.levels = resize(v.levels, v.rows-v.nulls)
	if err := decodeHybrid(v.levels, uint(body[0]), body[1:]); err != nil {
		return err
	}
	size := len(dict.ints) + len(dict.names)
	for _, id := range v.levels {
		if uint(id) >= uint(size) {
			return damaged("value %d of a dictionary of %d", id, size)
		}
	}
	if col.typ == format.ByteArray {
		v.names, v.blobs = dict.names, nil
		v.ids = resize(v.ids, v.rows)
		spread(v, v.ids, func(at int) int32 { return v.levels[at] })
		return nil
	}
	v.ints = resize(v.ints, v.rows)
	spread(v, v.ints, func(at int) int64 { return dict.ints[v.levels[at]] })
	return nil
}

// spread fills dst with the page's values, one after the other, where rows are
// not null.
func spread[T any](v *vector, dst []T, value func(at int) T) {
	if v.nulls == 0 {
		for i := range dst {
			dst[i] = value(i)
		}
		return
	}
	var zero T
	at := 0
	for i := range dst {
		if v.def[i] == 0 {
			dst[i] = zero
			continue
		}
		dst[i] = value(at)
		at++
	}
}

func (v *vector) decodeFixed(body []byte, size int) error {
	if len(body) != size*(v.rows-v.nulls) {
		return damaged("page of %d bytes for %d values", len(body), v.rows-v.nulls)
	}
	v.ints = resize(v.ints, v.rows)
	if size == 8 {
		spread(v, v.ints, func(at int) int64 { return int64(binary.LittleEndian.Uint64(body[8*at:])) })
		return nil
	}
	spread(v, v.ints, func(at int) int64 { return int64(int32(binary.LittleEndian.Uint32(body[4*at:]))) })
	return nil
}

func (v *vector) decodeFlags(body []byte) error {
	if len(body) != (v.rows-v.nulls+7)/8 {
		return damaged("page of %d bytes for %d flags", len(body), v.rows-v.nulls)
	}
	v.ints = resize(v.ints, v.rows)
	spread(v, v.ints, func(at int) int64 { return int64(body[at/8] >> (at % 8) & 1) })
	return nil
}

func (v *vector) decodeBlobs(body []byte) error {
	v.names, v.ids = nil, nil
	v.blobs = resize(v.blobs, v.rows)
	for i := range v.blobs {
		v.blobs[i] = nil
		if !v.present(i) {
			continue
		}
		b, rest, err := cutBlob(body)
		if err != nil {
			return err
		}
		v.blobs[i], body = b, rest
	}
	if len(body) != 0 {
		return damaged("page has %d bytes too many", len(body))
	}
	return nil
}

// cutBlob takes a length and so many bytes from the front of b.
func cutBlob(b []byte) (blob, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, damaged("page ends in a length")
	}
	n := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(n) > uint64(len(b)) {
		return nil, nil, damaged("page ends in a value of %d bytes", n)
	}
	return b[:n:n], b[n:], nil
}

// decodeValues reads the unpacked body of a dictionary page of n values.
func decodeValues(col *column, n int, body []byte) (*values, error) {
	d := &values{}
	if col.typ != format.ByteArray {
		if len(body) != 8*n {
			return nil, damaged("dictionary of %d bytes for %d values", len(body), n)
		}
		d.ints = make([]int64, n)
		for i := range d.ints {
			d.ints[i] = int64(binary.LittleEndian.Uint64(body[8*i:]))
		}
		return d, nil
	}
	d.names = make([]string, 0, min(n, groupRows))
	for range n {
		b, rest, err := cutBlob(body)
		if err != nil {
			return nil, err
		}
		d.names, body = append(d.names, string(b)), rest
	}
	if len(body) != 0 {
		return nil, damaged("dictionary has %d bytes too many", len(body))
	}
	return d, nil
}

// resize returns a slice of n elements, s's own where it is large enough.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
