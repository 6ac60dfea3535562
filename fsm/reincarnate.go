package fsm

import (
	"crypto/sha256"
	"math"
	"slices"
)

// originLevel is the level since which a state knows where its history parted
// from those before it.
const originLevel Level = 2

// maxOrigins bounds the restores that a state remembers; the oldest go first.
const maxOrigins = 1 << 10

// origin has the last seq of each stream at a Reincarnate. What stands behind
// it under the same seqs in the history before, or in the bucket of that, is
// something else.
type origin [streams]Seq

// Reincarnate makes of a restored state the beginning of another history of its
// site: one incarnation later, with a lineage of its own and another digest, so
// that nobody takes the two for one. Seqs go on; where, the state keeps. Leases
// end: their holders were of the other history. The site is then at least at
// the level that knows of this: its only server is the one that restores.
func (s *State) Reincarnate(lineage [16]byte) {
	if s.level < originLevel {
		s.raiseLevel(&RaiseLevel{Level: originLevel})
	}
	var o origin
	for stream := range o {
		o[stream] = s.LastSeq(Stream(stream))
	}
	s.origins = append(slices.Clone(s.origins), o)
	s.origins = s.origins[max(0, len(s.origins)-maxOrigins):]
	s.incarnation++
	s.genesis.Lineage = lineage
	s.leases = ordered[Lease]{}
	h := sha256.New()
	h.Write([]byte("reincarnate"))
	h.Write(s.chain.sum[:])
	h.Write(lineage[:])
	h.Sum(s.chain.sum[:0])
}

// SharedUpTo is the last seq of a stream up to which the history of another
// incarnation is this one's too: of the present one any seq, of an earlier one
// what was in the file when the next began. It is 0 where that is not known.
func (s *State) SharedUpTo(incarnation uint64, of Stream) Seq {
	if incarnation == s.incarnation {
		return math.MaxUint64
	}
	back := s.incarnation - incarnation
	if incarnation > s.incarnation || back > uint64(len(s.origins)) {
		return 0
	}
	return s.origins[uint64(len(s.origins))-back][of]
}

// cutInherited closes what was open when the history began, with its first
// entry: so that no cut has rows of two histories, and one that the history
// before made of the same rows is the same.
func (s *State) cutInherited() {
	if len(s.origins) == 0 {
		return
	}
	last := s.origins[len(s.origins)-1]
	if s.head.rows.Len() > 0 && s.head.rows.First <= last[Readings] {
		s.cutReadings()
	}
	if len(s.frames.frames) > 0 && s.frames.first <= last[Frames] {
		s.cutFrames()
	}
}

func (s *Snapshot) writeOrigins(p *snapshotWriter) {
	p.count(len(s.origins))
	for _, o := range s.origins {
		for _, last := range o {
			p.uint64(uint64(last))
		}
	}
}

func (s *State) restoreOrigins(p *snapshotReader) {
	n := p.count("restores", maxOrigins)
	if uint64(n) >= max(s.incarnation, 1) {
		p.fail("%d restores in incarnation %d", n, s.incarnation)
	}
	var before origin
	s.origins = list(p, n, func() (o origin) {
		for stream := range o {
			if o[stream] = p.seq(); o[stream] < before[stream] || o[stream] > s.LastSeq(Stream(stream)) {
				p.fail("a restore at seq %d of %s", o[stream], Stream(stream))
			}
		}
		before = o
		return o
	})
}
