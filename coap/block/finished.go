package block

import (
	"hash/maphash"
	"time"
)

const (
	// finishedFor is how long a body that was whole is remembered: no copy of
	// its last block comes later.
	finishedFor = exchangeLifetime + 3*time.Second
	// maxFinished bounds how many, in two generations: about 3 MB.
	maxFinished = 32 << 10
)

// finished remembers the last blocks of bodies that were handed out. The
// longest remembered go first.
type finished struct {
	seed       maphash.Seed
	young, old map[ID]ending
}

// ending is how a transfer ended.
type ending struct {
	at    time.Time
	last  uint64 // sum of the last block
	note  Note
	noted bool
}

func newFinished() finished {
	return finished{seed: maphash.MakeSeed(), young: map[ID]ending{}}
}

// put remembers the last block of a body.
func (f *finished) put(b *Block, now time.Time) {
	delete(f.old, b.ID)
	if len(f.young) >= maxFinished/2 {
		f.old, f.young = f.young, map[ID]ending{}
	}
	f.young[b.ID] = ending{at: now, last: f.sum(b)}
}

// note adds what became of the body.
func (f *finished) note(id ID, note Note) {
	for _, generation := range []map[ID]ending{f.young, f.old} {
		if e, ok := generation[id]; ok {
			e.note, e.noted = note, true
			generation[id] = e
			return
		}
	}
}

// get is the note of a body whose last block is b.
func (f *finished) get(b *Block, now time.Time) (note Note, ok bool) {
	e, ok := f.young[b.ID]
	if !ok {
		e, ok = f.old[b.ID]
	}
	if !ok || !e.noted || now.Sub(e.at) > finishedFor || e.last != f.sum(b) {
		return note, false
	}
	return e.note, true
}

func (f *finished) sum(b *Block) uint64 {
	var h maphash.Hash
	h.SetSeed(f.seed)
	v := b.Option.Uint()
	_, _ = h.Write([]byte{byte(v), byte(v >> 8), byte(v >> 16)}) // never fails
	_, _ = h.Write(b.Payload)
	return h.Sum64()
}
