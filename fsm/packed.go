package fsm

import (
	"bytes"
	"slices"
)

// packed has the slots of a closed generation without a free one among them,
// by buckets of their hashes, and by key in each bucket: the same keys lie the
// same way, whatever tables they come from. It never changes.
//
// Most lookups find nothing, in eight generations each. Those read starts and
// tags only: of a window of 80 MB these are four, which a cache holds.
type packed struct {
	slots  []slot
	tags   []byte   // by slot, as in table
	starts []uint32 // by bucket: its first slot; one more at the end
}

// perBucket is the mean number of slots of a bucket.
const perBucket = 4

// pack makes a packed of the n slots that each visits, in two visits. It calls rest
// between pieces of work.
func pack(n int, each func(func(*slot)), rest func()) *packed {
	buckets := n/perBucket + 1
	p := &packed{slots: make([]slot, n), tags: make([]byte, n), starts: make([]uint32, buckets+1)}
	visited := 0
	step := func() {
		if visited++; visited%restSlots == 0 {
			rest()
		}
	}
	each(func(s *slot) {
		step()
		p.starts[scale(keyHash(&s.key), buckets)]++
	})
	end := uint32(0)
	for b := range p.starts {
		end += p.starts[b]
		p.starts[b] = end
	}
	each(func(s *slot) { // from the end of each bucket to its start
		step()
		b := scale(keyHash(&s.key), buckets)
		p.starts[b]--
		p.slots[p.starts[b]] = *s
	})
	for b := range buckets {
		if b%(restSlots/perBucket) == 0 {
			rest()
		}
		slices.SortFunc(p.slots[p.starts[b]:p.starts[b+1]], func(a, b slot) int { return bytes.Compare(a.key[:], b.key[:]) })
	}
	rest()
	for i := range p.slots {
		p.tags[i] = tag(keyHash(&p.slots[i].key))
	}
	return p
}

func (p *packed) find(k *Key, hash uint64) *slot {
	b := scale(hash, len(p.starts)-1)
	want := tag(hash)
	start, end := p.starts[b], p.starts[b+1]
	for i, t := range p.tags[start:end] {
		if t == want && p.slots[int(start)+i].key == *k {
			return &p.slots[int(start)+i]
		}
	}
	return nil
}

func (p *packed) each(f func(*slot)) {
	for i := range p.slots {
		f(&p.slots[i])
	}
}
