package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// chain is the digest of a state: SHA-256 over the digest before it, the
// entry's index, op and bytes, and its effects in the order in which they came
// about: each outcome's code and first seq, and at each cut also the cut, the
// latest values and the window. Two replicas that differ in any effect differ
// from that entry on.
type chain struct {
	index uint64
	sum   [32]byte
	hash  hash.Hash
	buf   []byte // effects not yet hashed
}

func newChain() chain { return chain{hash: sha256.New()} }

func (c *chain) begin(index uint64, op Op, entry []byte) {
	c.hash.Reset()
	c.buf = append(c.buf[:0], c.sum[:]...)
	c.buf = binary.LittleEndian.AppendUint64(c.buf, index)
	c.buf = append(c.buf, byte(op))
	c.hash.Write(c.buf)
	c.hash.Write(entry)
	c.index, c.buf = index, c.buf[:0]
}

func (c *chain) outcome(o Outcome) {
	c.buf = append(c.buf, byte(o.Code))
	c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(o.First))
}

func (c *chain) digest(d RowDigest) {
	c.buf = binary.LittleEndian.AppendUint64(c.buf, d[0])
	c.buf = binary.LittleEndian.AppendUint64(c.buf, d[1])
}

func (c *chain) cut(of Stream, cut *Cut, series *seriesTable, w *window) {
	c.buf = append(c.buf, byte(of))
	c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(cut.First))
	c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(cut.Last))
	c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(cut.Day))
	c.digest(cut.Digest)
	c.digest(series.digest())
	for i := range w.generations {
		g := &w.generations[i]
		c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(g.number))
		c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(g.n))
		c.digest(g.digest)
	}
}

func (c *chain) end() {
	c.hash.Write(c.buf)
	c.hash.Sum(c.sum[:0])
}
