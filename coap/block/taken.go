package block

import "hash/maphash"

// maxTaken bounds the messages remembered, in two generations: about 1 MB.
const maxTaken = 32 << 10

// taken are the messages whose blocks were taken, some of them: enough to know a
// copy that was on its way for a while. The longest remembered go first.
type taken struct {
	seed       maphash.Seed
	young, old map[uint64]struct{} // sums
}

func newTaken() taken { return taken{seed: maphash.MakeSeed(), young: map[uint64]struct{}{}} }

func (t *taken) put(b *Block) {
	if b.Message == nil || !b.Option.More && b.Option.Num == 0 { // a body of one block is known by itself
		return
	}
	if len(t.young) >= maxTaken/2 {
		t.old, t.young = t.young, map[uint64]struct{}{}
	}
	t.young[t.sum(b)] = struct{}{}
}

func (t *taken) has(b *Block) bool {
	if b.Message == nil {
		return false
	}
	sum := t.sum(b)
	_, young := t.young[sum]
	_, old := t.old[sum]
	return young || old
}

func (t *taken) sum(b *Block) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.Write(b.ID[:]) // never fails
	_, _ = h.Write(b.Message)
	return h.Sum64()
}
