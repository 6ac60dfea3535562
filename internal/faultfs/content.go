package faultfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

const (
	// SectorBytes are written by a disk whole or not at all.
	SectorBytes = 512
	blockBytes  = 4096
)

// block is a part of a file at a multiple of blockBytes. One that both halves of
// a file hold is never written to.
type block [blockBytes]byte

// zeros is the block of space that was reserved and never written.
var zeros = new(block)

// content is a file's bytes; blocks that were never written are missing.
// Bytes of blocks at or past size are zero.
type content struct {
	size   int64
	blocks map[int64]*block
}

func newContent() content { return content{blocks: map[int64]*block{}} }

func (c *content) clone() content { return content{c.size, maps.Clone(c.blocks)} }

// read fills p from offset and returns how much of it the file has.
func (c *content) read(p []byte, offset int64) int {
	p = p[:max(0, min(int64(len(p)), c.size-offset))]
	for done := 0; done < len(p); {
		at := offset + int64(done)
		part := p[done:min(len(p), done+int(blockBytes-at%blockBytes))]
		if b := c.blocks[at/blockBytes]; b != nil {
			copy(part, b[at%blockBytes:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(p)
}

// file is both halves of a file. Blocks whose numbers are not in dirty are the
// same ones in both.
type file struct {
	live, kept content
	dirty      map[int64]struct{}
}

func newFile() *file { return &file{newContent(), newContent(), map[int64]struct{}{}} }

// clean tells whether all is synced.
func (f *file) clean() bool { return len(f.dirty) == 0 && f.live.size == f.kept.size }

// own returns the live block number i, which may be written to.
func (f *file) own(i int64) *block {
	b := f.live.blocks[i]
	switch {
	case b == nil:
		b = new(block)
	case b == zeros || b == f.kept.blocks[i]:
		changed := *b
		b = &changed
	}
	f.live.blocks[i] = b
	f.dirty[i] = struct{}{}
	return b
}

// missing counts the blocks that a write to [from, to) would add.
func (f *file) missing(from, to int64) int64 {
	n := int64(0)
	for i := from / blockBytes; i*blockBytes < to; i++ {
		if f.live.blocks[i] == nil {
			n++
		}
	}
	return n
}

func (f *file) write(p []byte, offset int64) {
	end := offset + int64(len(p))
	for len(p) > 0 {
		n := copy(f.own(offset / blockBytes)[offset%blockBytes:], p)
		p, offset = p[n:], offset+int64(n)
	}
	f.live.size = max(f.live.size, end)
}

// reserve gives [from, to) blocks of its own.
func (f *file) reserve(from, to int64) {
	for i := from / blockBytes; i*blockBytes < to; i++ {
		if f.live.blocks[i] == nil {
			f.live.blocks[i] = zeros
			f.dirty[i] = struct{}{}
		}
	}
}

func (f *file) truncate(size int64) {
	if size < f.live.size {
		for _, i := range slices.Collect(maps.Keys(f.live.blocks)) {
			if i*blockBytes >= size {
				delete(f.live.blocks, i)
				f.dirty[i] = struct{}{}
			}
		}
		if i := size / blockBytes; f.live.blocks[i] != nil {
			clear(f.own(i)[size%blockBytes:])
		}
	}
	f.live.size = size
}

// sync makes the live half the kept one.
func (f *file) sync() {
	for i := range f.dirty {
		if b := f.live.blocks[i]; b != nil {
			f.kept.blocks[i] = b
		} else {
			delete(f.kept.blocks, i)
		}
	}
	clear(f.dirty)
	f.kept.size = f.live.size
}

// flip inverts a bit in both halves. A block that was never written has none.
func (f *file) flip(offset int64, bit uint) {
	i, at := offset/blockBytes, offset%blockBytes
	live, kept := f.live.blocks[i], f.kept.blocks[i]
	if live == nil {
		return
	}
	rotten := *live
	rotten[at] ^= 1 << (bit % 8)
	f.live.blocks[i] = &rotten
	switch kept {
	case nil:
	case live:
		f.kept.blocks[i] = &rotten
	default:
		own := *kept
		own[at] ^= 1 << (bit % 8)
		f.kept.blocks[i] = &own
	}
}

// cut makes what the power leaves of the file both halves of it.
func (f *file) cut(draw *rand.Rand, how Spare, lost *Loss) {
	if f.clean() {
		return
	}
	lost.Files++
	if how == Nothing {
		lost.Sectors += f.changedSectors()
		f.live = f.kept.clone()
		clear(f.dirty)
		return
	}
	left, size := f.kept.clone(), f.torn(draw)
	unit := int64(SectorBytes)
	if draw.IntN(2) == 0 {
		unit = blockBytes
	}
	chance := draw.Float64()
	for _, i := range slices.Sorted(maps.Keys(f.dirty)) {
		left.blocks[i] = f.mix(draw, i, unit, chance, lost)
	}
	f.live, f.kept = left, content{}
	clear(f.dirty)
	f.live.size = max(size, f.live.size)
	f.truncate(size)
	clear(f.dirty)
	f.kept = f.live.clone()
}

// torn draws the file's length after a cut.
func (f *file) torn(draw *rand.Rand) int64 {
	low, high := min(f.live.size, f.kept.size), max(f.live.size, f.kept.size)
	switch draw.IntN(3) {
	case 0:
		return f.kept.size
	case 1:
		return f.live.size
	}
	return low + draw.Int64N((high-low)/SectorBytes+1)*SectorBytes
}

// mix draws a block from its live and its kept form, unit by unit.
func (f *file) mix(draw *rand.Rand, i, unit int64, chance float64, lost *Loss) *block {
	var empty block
	live, kept := f.live.blocks[i], f.kept.blocks[i]
	if live == nil {
		live = &empty
	}
	if kept == nil {
		kept = &empty
	}
	mixed := *kept
	for at := int64(0); at < blockBytes; at += unit {
		if [SectorBytes]byte(live[at:]) == [SectorBytes]byte(kept[at:]) && unit == SectorBytes {
			continue
		}
		if draw.Float64() < chance {
			copy(mixed[at:at+unit], live[at:at+unit])
			lost.Spared++
		} else {
			lost.Sectors++
		}
	}
	return &mixed
}

// changedSectors counts the sectors that differ between the halves.
func (f *file) changedSectors() int {
	n := 0
	var empty block
	for i := range f.dirty {
		live, kept := f.live.blocks[i], f.kept.blocks[i]
		if live == nil {
			live = &empty
		}
		if kept == nil {
			kept = &empty
		}
		for at := 0; at < blockBytes; at += SectorBytes {
			if [SectorBytes]byte(live[at:]) != [SectorBytes]byte(kept[at:]) {
				n++
			}
		}
	}
	return n
}
