package block

import "bytes"

// maxPiece bounds how much memory is taken in advance, in bytes.
const maxPiece = 32 << 10

// body is a body that grows. It is kept in pieces, each about as large as all
// before it, so that growing copies nothing and takes little in advance.
//
// Invariant: size is the sum of the pieces' lengths, held that of their
// capacities, and only the last piece has room left.
type body struct {
	pieces [][]byte
	size   int // bytes
	held   int // bytes of memory
}

// need is how much more memory is taken when n bytes are appended.
func (b *body) need(n int) int {
	rest := n - (b.held - b.size)
	if rest <= 0 {
		return 0
	}
	return max(rest, min(b.size, maxPiece))
}

// append copies p to the end.
func (b *body) append(p []byte) {
	need := b.need(len(p))
	if n := len(b.pieces); n > 0 {
		last := b.pieces[n-1]
		fits := min(len(p), cap(last)-len(last))
		b.pieces[n-1] = append(last, p[:fits]...)
		b.size += fits
		p = p[fits:]
	}
	if len(p) == 0 {
		return
	}
	b.pieces = append(b.pieces, append(make([]byte, 0, need), p...))
	b.size += len(p)
	b.held += need
}

// has tells whether p is what the body holds at offset.
func (b *body) has(offset int, p []byte) bool {
	if offset+len(p) > b.size {
		return false
	}
	for _, piece := range b.pieces {
		if offset >= len(piece) {
			offset -= len(piece)
			continue
		}
		n := min(len(p), len(piece)-offset)
		if !bytes.Equal(piece[offset:offset+n], p[:n]) {
			return false
		}
		p, offset = p[n:], 0
	}
	return true
}

// cut leaves the first size bytes.
func (b *body) cut(size int) {
	if size >= b.size {
		return
	}
	kept := body{}
	for _, piece := range b.pieces {
		if kept.size == size {
			break
		}
		piece = piece[:min(len(piece), size-kept.size)]
		kept.pieces = append(kept.pieces, piece)
		kept.size += len(piece)
		kept.held += cap(piece)
	}
	*b = kept
}

// join is the first size bytes with p after them, in memory of their own.
func (b *body) join(size int, p []byte) []byte {
	whole := make([]byte, 0, size+len(p))
	for _, piece := range b.pieces {
		whole = append(whole, piece[:min(len(piece), size-len(whole))]...)
	}
	return append(whole, p...)
}
