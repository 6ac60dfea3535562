package fsm

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
)

// snapshotReader reads what snapshotWriter wrote and hashes it. After the
// first error every read returns zero. It allocates for what has arrived, not
// for what a length promises.
type snapshotReader struct {
	r    *bufio.Reader
	hash hash.Hash
	buf  [64]byte
	err  error
}

func newSnapshotReader(r io.Reader) *snapshotReader {
	return &snapshotReader{r: bufio.NewReaderSize(r, pieceSize), hash: sha256.New()}
}

// fail records why the snapshot is no good.
func (p *snapshotReader) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("snapshot: "+format+": %w", append(args, ErrCorrupt)...)
	}
}

// read fills b and reports whether it could.
func (p *snapshotReader) read(b []byte) bool {
	if p.err != nil {
		return false
	}
	if _, err := io.ReadFull(p.r, b); err != nil {
		p.err = fmt.Errorf("snapshot ends too early: %w: %w", err, ErrCorrupt)
		return false
	}
	p.hash.Write(b)
	return true
}

// fixed returns the next n bytes, at most 64, until the next read.
func (p *snapshotReader) fixed(n int) []byte {
	if !p.read(p.buf[:n]) {
		clear(p.buf[:n])
	}
	return p.buf[:n]
}

func (p *snapshotReader) byte() byte     { return p.fixed(1)[0] }
func (p *snapshotReader) uint32() uint32 { return binary.LittleEndian.Uint32(p.fixed(4)) }
func (p *snapshotReader) uint64() uint64 { return binary.LittleEndian.Uint64(p.fixed(8)) }
func (p *snapshotReader) seq() Seq       { return Seq(p.uint64()) }

func (p *snapshotReader) bool() bool {
	b := p.byte()
	if b > 1 {
		p.fail("a flag is %d", b)
	}
	return b == 1
}

// count reads a length that must not be above limit.
func (p *snapshotReader) count(what string, limit uint64) int {
	var n uint64
	for shift := 0; ; shift += 7 {
		b := p.byte()
		if p.err != nil {
			return 0
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			break
		}
		if shift > 49 {
			n = math.MaxUint64
			break
		}
	}
	if n > limit {
		p.fail("%d of %s, at most %d can be", n, what, limit)
		return 0
	}
	return int(n)
}

// bytes reads n bytes in pieces.
func (p *snapshotReader) bytes(n int) []byte {
	var b []byte
	for n > 0 && p.err == nil {
		k := min(n, pieceSize)
		at := len(b)
		b = append(b, make([]byte, k)...)
		p.read(b[at:])
		n -= k
	}
	return b
}

func (p *snapshotReader) string(what string, limit uint64) string {
	return string(p.bytes(p.count(what, limit)))
}

// name is a string that was validated when it came in, so that it must still
// be valid.
func (p *snapshotReader) name(what string, limit int) string {
	s := p.string(what+" name bytes", uint64(limit))
	if p.err == nil {
		if err := ValidateName(what, s, limit); err != nil {
			p.fail("%v", err)
		}
	}
	return s
}

func (p *snapshotReader) slot() (s slot) {
	p.read(s.key[:])
	s.content, s.first = p.uint64(), p.uint64()
	return s
}

func (p *snapshotReader) frame() (f Frame) {
	f.Device, f.Resource = p.name("device", MaxDevice), p.name("resource", MaxResource)
	f.Seq = p.seq()
	f.Time, f.Received = int64(p.uint64()), int64(p.uint64())
	f.Width, f.Height, f.Size = p.uint32(), p.uint32(), p.uint32()
	p.read(f.SHA256[:])
	if f.Size > MaxFrame {
		p.fail("frame %d of %d bytes", f.Seq, f.Size)
	}
	return f
}

// list reads n elements into a slice that grows as they arrive.
func list[T any](p *snapshotReader, n int, element func() T) []T {
	var all []T
	for range n {
		v := element()
		if p.err != nil {
			return nil
		}
		all = append(all, v)
	}
	return all
}
