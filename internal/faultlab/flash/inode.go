package flash

import (
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes in one piece, in bytes.
const sector = 512

// inode is a file's content. layers are what was written since the last sync
// that was finished, oldest first; the last one takes writes while open is set.
type inode struct {
	data   []byte
	layers []*layer
	open   bool
	marks  []*mark // of flipped bits
}

// layer is what a stretch of writes overwrote.
type layer struct {
	size int64            // of the file before, unsized if that is durable
	old  map[int64][]byte // by number of the sector; shorter at the file's end
	// failed: its sync returned an error. As Linux does, the disk then takes
	// its blocks for clean: no later sync makes them durable, though they are
	// read back, until they are written again.
	failed bool
}

const unsized = -1

// top is the layer that takes writes.
func (n *inode) top() *layer {
	if !n.open {
		n.layers = append(n.layers, &layer{size: int64(len(n.data)), old: map[int64][]byte{}})
		n.open = true
	}
	return n.layers[len(n.layers)-1]
}

// seal closes the present layer: what is written from here on is no part of a
// sync that begins now. It returns the last layer of that sync, nil for none.
func (n *inode) seal() *layer {
	n.open = false
	if len(n.layers) == 0 {
		return nil
	}
	return n.layers[len(n.layers)-1]
}

// settle makes all layers up to last durable, but those whose sync failed.
func (n *inode) settle(last *layer) {
	end := slices.Index(n.layers, last) + 1
	var left []*layer
	for _, l := range n.layers[:end] {
		if l.failed {
			left = append(left, l)
			continue
		}
		for _, f := range left { // what was written again is durable
			f.size = unsized
			for s := range l.old {
				delete(f.old, s)
			}
		}
	}
	n.layers = append(left, n.layers[end:]...)
	n.open = n.open && len(n.layers) > len(left)
}

// spoil notes that a sync of the layers up to last failed.
func (n *inode) spoil(last *layer) {
	for _, l := range n.layers[:slices.Index(n.layers, last)+1] {
		l.failed = true
	}
}

// keep notes what sectors [from, to) of bytes hold before they are overwritten.
func (n *inode) keep(from, to int64) {
	l := n.top()
	for s := from / sector; s*sector < to; s++ {
		if _, ok := l.old[s]; ok {
			continue
		}
		var was []byte
		if begin := s * sector; begin < int64(len(n.data)) {
			was = slices.Clone(n.data[begin:min(begin+sector, int64(len(n.data)))])
		}
		l.old[s] = was
	}
}

func (n *inode) write(b []byte, off int64) {
	if len(b) == 0 {
		return
	}
	end := off + int64(len(b))
	n.keep(min(off, int64(len(n.data))), end)
	n.resize(max(end, int64(len(n.data))))
	copy(n.data[off:], b)
	n.written(off, end)
}

func (n *inode) truncate(size int64) {
	if size == int64(len(n.data)) {
		return
	}
	n.top() // remembers the size
	if size < int64(len(n.data)) {
		n.keep(size, int64(len(n.data)))
	}
	n.resize(size)
}

// resize sets the length; new bytes are zero.
func (n *inode) resize(size int64) {
	old := int64(len(n.data))
	if size <= old {
		n.data = n.data[:size]
		n.written(size, old)
		return
	}
	n.data = slices.Grow(n.data, int(size-old))[:size]
	clear(n.data[old:])
}

// Tear is how much of what was not synced a power cut takes.
type Tear struct {
	Lost  float64 // chance of each block to be lost: 1 drops all that was not synced
	Block int64   // bytes that are lost or kept together, a multiple of 512
}

// tear is a power cut: every block of every layer reached the flash or did not.
func (n *inode) tear(t Tear, random *rand.Rand) {
	reached := map[int64]bool{} // by a later write
	for i := len(n.layers) - 1; i >= 0; i-- {
		l := n.layers[i]
		coin := map[int64]bool{} // by block, whether it is lost
		numbers := make([]int64, 0, len(l.old))
		for s := range l.old {
			numbers = append(numbers, s)
		}
		slices.Sort(numbers)
		size := n.tornSize(l, t, random)
		for _, s := range numbers {
			block := s * sector / t.Block
			lost, drawn := coin[block]
			if !drawn {
				lost = random.Float64() < t.Lost
				coin[block] = lost
			}
			if reached[s] {
				continue
			}
			if !lost {
				reached[s] = true
				continue
			}
			n.restore(s, l.old[s])
		}
		n.resize(size)
	}
	n.layers, n.open = nil, false
}

// tornSize is the length that a cut leaves: the one before, the one after, or,
// of a file that grew, one between.
func (n *inode) tornSize(l *layer, t Tear, random *rand.Rand) int64 {
	now := int64(len(n.data))
	if l.size == unsized {
		return now
	}
	if random.Float64() < t.Lost {
		return l.size
	}
	if now > l.size && t.Lost > 0 && random.IntN(3) == 0 {
		return l.size + random.Int64N(now-l.size)
	}
	return now
}

// restore puts back what a sector held.
func (n *inode) restore(s int64, was []byte) {
	begin := s * sector
	if need := begin + int64(len(was)); need > int64(len(n.data)) {
		n.resize(need)
	}
	end := min(begin+sector, int64(len(n.data)))
	if begin >= end {
		return
	}
	clear(n.data[begin:end])
	copy(n.data[begin:], was)
	n.written(begin, end)
}
