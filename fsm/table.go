package fsm

import (
	"encoding/binary"
	"math/bits"
)

// slot is a remembered answer. Only stored items are remembered, so its code
// needs no place; first is never 0.
type slot struct {
	key     Key
	content uint64
	first   uint64 // the first seq, with frameBit for a frame
}

// frameBit marks the answer of a frame, whose seq is of another sequence.
const frameBit = 1 << 63

// table is a hash table with linear probing. A slot's home is its hash scaled
// to the table, so slots lie about in order of their hashes and copying one
// table into another walks both from end to end.
//
// Most lookups find nothing, in eight generations each. They read tags only:
// of a window of a hundred megabytes those are three, which a cache holds.
type table struct {
	slots []slot
	tags  []byte // by slot: 0 for a free one, else some bits of its key's hash
	n     int
}

const minTable = 64 // slots of a new table

func newTable() *table { return tableOf(minTable) }

func tableOf(slots int) *table {
	return &table{slots: make([]slot, slots), tags: make([]byte, slots)}
}

// keyHash spreads keys over tables. Keys are hashes under a secret already;
// mixing keeps a proposer that counts its keys from filling one corner.
func keyHash(k *Key) uint64 {
	return mix(binary.LittleEndian.Uint64(k[:8]) + mix(binary.LittleEndian.Uint64(k[8:])))
}

func (t *table) home(hash uint64) int {
	i, _ := bits.Mul64(hash, uint64(len(t.slots)))
	return int(i)
}

// tag takes the low bits of a hash; home goes by the high ones.
func tag(hash uint64) byte { return byte(hash) | 1 }

func (t *table) find(k *Key, hash uint64) *slot {
	want := tag(hash)
	for i := t.home(hash); ; i++ {
		if i == len(t.tags) {
			i = 0
		}
		switch t.tags[i] {
		case 0:
			return nil
		case want:
			if t.slots[i].key == *k {
				return &t.slots[i]
			}
		}
	}
}

// add puts a slot whose key is not in the table. It grows the table by half at
// three quarters full: less memory is idle than after doubling.
func (t *table) add(s *slot, hash uint64) {
	if (t.n+1)*4 > len(t.slots)*3 {
		bigger := tableOf(len(t.slots) * 3 / 2)
		bigger.addAll(t)
		*t = *bigger
	}
	t.put(s, hash)
}

func (t *table) put(s *slot, hash uint64) {
	i := t.home(hash)
	for t.tags[i] != 0 {
		if i++; i == len(t.tags) {
			i = 0
		}
	}
	t.slots[i], t.tags[i] = *s, tag(hash)
	t.n++
}

func (t *table) addAll(from *table) {
	for i := range from.slots {
		if from.tags[i] != 0 {
			t.put(&from.slots[i], keyHash(&from.slots[i].key))
		}
	}
}

// pack copies tables into one that is four fifths full and will not grow.
func pack(tables []*table) *table {
	n := 0
	for _, t := range tables {
		n += t.n
	}
	packed := tableOf(n*5/4 + 1)
	for _, t := range tables {
		packed.addAll(t)
	}
	return packed
}

// digest is the slot's part of the window's digest.
func (s *slot) digest() RowDigest {
	a := mix(keyHash(&s.key)+s.content) + s.first
	return RowDigest{mix(a), mix(a ^ binary.LittleEndian.Uint64(s.key[8:]))}
}
