package segment

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"skerry/fsm"
)

// WriteFrames writes a frames segment. frames are exactly the cut's, in any
// order; jpeg returns the bytes of frames[i], which are not kept. It holds one
// picture at a time. Errors: ErrOtherRows, when frames are not the cut's or a
// picture is not the frame's; those of jpeg and w.
func WriteFrames(w io.Writer, site string, cut fsm.Cut, frames []fsm.Frame, jpeg func(i int) ([]byte, error)) (Stats, error) {
	if err := checkFrames(cut, frames); err != nil {
		return Stats{}, err
	}
	f, err := create(w, frameColumns)
	if err != nil {
		return Stats{}, err
	}
	sorted := make([]int, len(frames))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortFunc(sorted, func(a, b int) int {
		x, y := &frames[a], &frames[b]
		return cmp.Or(cmp.Compare(x.Device, y.Device), cmp.Compare(x.Resource, y.Resource), cmp.Compare(x.Time, y.Time), cmp.Compare(x.Seq, y.Seq))
	})
	var stats Stats
	for len(sorted) > 0 {
		g := frameGroup{frames: frames, jpeg: jpeg}
		sorted = g.take(sorted)
		if err := g.write(f); err != nil {
			return Stats{}, fmt.Errorf("write segment of frames: %w", err)
		}
		stats.add(g.stats())
	}
	erased := slices.ContainsFunc(frames, func(f fsm.Frame) bool { return fsm.IsErased(f.Device) })
	m := Meta{Site: site, Stream: fsm.Frames, Cut: cut, Erased: erased}
	if err := f.close(m.pairs()); err != nil {
		return Stats{}, fmt.Errorf("write segment of frames: %w", err)
	}
	stats.Size = f.off
	return stats, nil
}

// checkFrames compares the list, not the pictures, with the cut.
func checkFrames(cut fsm.Cut, frames []fsm.Frame) error {
	if len(frames) == 0 || len(frames) != cut.Rows() || len(frames) > maxRows {
		return fmt.Errorf("%w: %d frames for a cut of %d", ErrOtherRows, len(frames), cut.Rows())
	}
	var digest fsm.RowDigest
	for i := range frames {
		f := &frames[i]
		if f.Seq < cut.First || f.Seq > cut.Last {
			return fmt.Errorf("%w: frame %d in a cut of %d to %d", ErrOtherRows, f.Seq, cut.First, cut.Last)
		}
		if f.Size > fsm.MaxFrame {
			return fmt.Errorf("frame %d has %d bytes, at most %d are taken", f.Seq, f.Size, fsm.MaxFrame)
		}
		digest.Add(fsm.HashFrame(f))
	}
	if digest != cut.Digest {
		return fmt.Errorf("%w: the frames' digest differs", ErrOtherRows)
	}
	return nil
}

// frameGroup is one row group of frames.
type frameGroup struct {
	frames []fsm.Frame
	jpeg   func(i int) ([]byte, error)
	at     []int // file order: positions in frames
}

// take fills the group from the front of sorted and returns the rest.
func (g *frameGroup) take(sorted []int) []int {
	n, size := 0, 0
	for n < len(sorted) && n < pageRows && (n == 0 || size < groupBytes) {
		size += int(g.frames[sorted[n]].Size)
		n++
	}
	g.at = sorted[:n]
	return sorted[n:]
}

func (g *frameGroup) ints(value func(f *fsm.Frame) int64) []int64 {
	list := make([]int64, len(g.at))
	for i, p := range g.at {
		list[i] = value(&g.frames[p])
	}
	return list
}

func (g *frameGroup) seq() []int64  { return g.ints(func(f *fsm.Frame) int64 { return int64(f.Seq) }) }
func (g *frameGroup) time() []int64 { return g.ints(func(f *fsm.Frame) int64 { return f.Time }) }
func (g *frameGroup) received() []int64 {
	return g.ints(func(f *fsm.Frame) int64 { return f.Received })
}

// named is a chunk of names with a dictionary.
func (g *frameGroup) named(name func(f *fsm.Frame) string) *chunk {
	d := newNameDictionary()
	ids := make([]int32, len(g.at))
	for i, p := range g.at {
		ids[i] = d.id(name(&g.frames[p]))
	}
	return &chunk{dict: d.page(), ids: ids, bounds: nameBounds(func(i int) string { return name(&g.frames[g.at[i]]) })}
}

// long and short are chunks of INT64 and INT32.
func long(values []int64) *chunk { return &chunk{put: putInts(values), bounds: intBounds(values)} }

func short(values []int64) *chunk {
	return &chunk{put: func(dst []byte, lo, hi int) ([]byte, error) {
		for _, v := range values[lo:hi] {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
		}
		return dst, nil
	}}
}

func (g *frameGroup) write(f *file) error {
	f.begin(len(g.at))
	for c := range f.columns {
		var k *chunk
		switch c {
		case frmSeq:
			k = long(g.seq())
		case frmDevice:
			k = g.named(func(f *fsm.Frame) string { return f.Device })
		case frmResource:
			k = g.named(func(f *fsm.Frame) string { return f.Resource })
		case frmTime:
			k = long(g.time())
		case frmReceived:
			k = long(g.received())
		case frmWidth:
			k = short(g.ints(func(f *fsm.Frame) int64 { return int64(f.Width) }))
		case frmHeight:
			k = short(g.ints(func(f *fsm.Frame) int64 { return int64(f.Height) }))
		case frmSize:
			k = short(g.ints(func(f *fsm.Frame) int64 { return int64(f.Size) }))
		case frmSHA256:
			k = &chunk{put: g.putSums}
		case frmData:
			k = &chunk{put: g.putPicture}
			for i := range g.at {
				k.pages = append(k.pages, i+1)
			}
		}
		if c != frmData {
			k.pages = []int{len(g.at)}
		}
		if err := f.chunk(k); err != nil {
			return err
		}
	}
	return nil
}

func (g *frameGroup) putSums(dst []byte, lo, hi int) ([]byte, error) {
	for _, p := range g.at[lo:hi] {
		sum := &g.frames[p].SHA256
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(sum)))
		dst = append(dst, sum[:]...)
	}
	return dst, nil
}

func (g *frameGroup) putPicture(dst []byte, lo, _ int) ([]byte, error) {
	f := &g.frames[g.at[lo]]
	b, err := g.jpeg(g.at[lo])
	if err != nil {
		return dst, fmt.Errorf("frame %d: %w", f.Seq, err)
	}
	if err := isPicture(f, b); err != nil {
		return dst, fmt.Errorf("%w: %w", ErrOtherRows, err)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
	return append(dst, b...), nil
}

// isPicture tells whether b is the frame's picture.
func isPicture(f *fsm.Frame, b []byte) error {
	if len(b) != int(f.Size) {
		return fmt.Errorf("frame %d has %d bytes, not %d", f.Seq, len(b), f.Size)
	}
	if fsm.IsErased(f.Device) {
		return nil // its digest is where the sum was
	}
	if sum := sha256.Sum256(b); !bytes.Equal(sum[:], f.SHA256[:]) {
		return fmt.Errorf("frame %d does not have its SHA-256", f.Seq)
	}
	return nil
}

func (g *frameGroup) stats() Stats {
	n := len(g.at)
	first, last := &g.frames[g.at[0]], &g.frames[g.at[n-1]]
	least, greatest := nameBounds(func(i int) string { return g.frames[g.at[i]].Resource })(0, n)
	return Stats{
		Rows: n, Seq: rangeOf(g.seq()), Time: rangeOf(g.time()), Received: rangeOf(g.received()),
		Device:   NameRange{first.Device, last.Device},
		Resource: NameRange{string(least), string(greatest)},
	}
}
