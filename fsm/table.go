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

// table is a growing hash table with linear probing. A slot's home is its hash
// scaled to the table, so slots lie about in order of their hashes and copying
// one table into another walks both from end to end.
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

// scale maps a hash to 0..n-1, in order.
func scale(hash uint64, n int) int {
	i, _ := bits.Mul64(hash, uint64(n))
	return int(i)
}

// tag takes the low bits of a hash; scale goes by the high ones.
func tag(hash uint64) byte { return byte(hash) | 1 }

func (t *table) find(k *Key, hash uint64) *slot {
	want := tag(hash)
	for i := scale(hash, len(t.slots)); ; i++ {
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
		t.each(func(s *slot) { bigger.put(s, keyHash(&s.key)) })
		*t = *bigger
	}
	t.put(s, hash)
}

func (t *table) put(s *slot, hash uint64) {
	i := scale(hash, len(t.slots))
	for t.tags[i] != 0 {
		if i++; i == len(t.tags) {
			i = 0
		}
	}
	t.slots[i], t.tags[i] = *s, tag(hash)
	t.n++
}

func (t *table) each(f func(*slot)) {
	for i := range t.slots {
		if t.tags[i] != 0 {
			f(&t.slots[i])
		}
	}
}

// digest is the slot's part of the window's digest.
func (s *slot) digest() RowDigest {
	a := mix(keyHash(&s.key)+s.content) + s.first
	return RowDigest{mix(a), mix(a ^ binary.LittleEndian.Uint64(s.key[8:]))}
}
