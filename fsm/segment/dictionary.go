package segment

import (
	"encoding/binary"
	"slices"
)

// nameDictionary gives small numbers to the names of one row group.
type nameDictionary struct {
	ids   map[string]int32
	names []string
}

func newNameDictionary() *nameDictionary { return &nameDictionary{ids: make(map[string]int32)} }

func (d *nameDictionary) id(name string) int32 {
	id, ok := d.ids[name]
	if !ok {
		id = int32(len(d.names))
		d.ids[name] = id
		d.names = append(d.names, name)
	}
	return id
}

func (d *nameDictionary) page() *dictionary {
	var b []byte
	for _, name := range d.names {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
		b = append(b, name...)
	}
	return &dictionary{plain: b, count: len(d.names)}
}

// numberDictionary gives small numbers to 8-byte values: open addressing,
// reused from row group to row group.
type numberDictionary struct {
	slots  [2 * groupRows]int32 // id+1, 0 for free
	values []int64
}

// build returns the dictionary of values at the rows where def is not 0 (nil:
// all) and fills ids, or nil when it would have more than limit values.
func (d *numberDictionary) build(values []int64, def []byte, ids []int32, limit int) *dictionary {
	clear(d.slots[:])
	d.values = d.values[:0]
	for i, v := range values {
		if def != nil && def[i] == 0 {
			continue
		}
		at := (uint64(v) * 0x9e3779b97f4a7c15) >> 47 // 17 bits: len(slots)
		for d.slots[at] != 0 && d.values[d.slots[at]-1] != v {
			at = (at + 1) % uint64(len(d.slots))
		}
		if d.slots[at] == 0 {
			if len(d.values) == limit {
				return nil
			}
			d.values = append(d.values, v)
			d.slots[at] = int32(len(d.values))
		}
		ids[i] = d.slots[at] - 1
	}
	if len(d.values) == 0 {
		return nil
	}
	return d.sorted(def, ids)
}

// sorted puts the dictionary in order, which zstd packs better, and returns
// its page.
func (d *numberDictionary) sorted(def []byte, ids []int32) *dictionary {
	by := make([]int32, len(d.values)) // old ids in the order of their values
	for i := range by {
		by[i] = int32(i)
	}
	slices.SortFunc(by, func(a, b int32) int {
		if d.values[a] < d.values[b] {
			return -1
		}
		return 1
	})
	moved := make([]int32, len(by))
	plain := make([]byte, 0, 8*len(by))
	for id, old := range by {
		moved[old] = int32(id)
		plain = binary.LittleEndian.AppendUint64(plain, uint64(d.values[old]))
	}
	for i := range ids {
		if def == nil || def[i] != 0 {
			ids[i] = moved[ids[i]]
		}
	}
	return &dictionary{plain: plain, count: len(by)}
}
