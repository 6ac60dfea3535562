package fsm

import "crypto/sha256"

// Reincarnate makes of a restored state the beginning of another history of its
// site: one incarnation later, with a lineage of its own and another digest, so
// that nobody takes the two for one. Seqs go on. Leases end: their holders were
// of the other history.
func (s *State) Reincarnate(lineage [16]byte) {
	s.incarnation++
	s.genesis.Lineage = lineage
	s.leases = ordered[Lease]{}
	h := sha256.New()
	h.Write([]byte("reincarnate"))
	h.Write(s.chain.sum[:])
	h.Write(lineage[:])
	h.Sum(s.chain.sum[:0])
}
