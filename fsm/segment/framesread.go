package segment

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"skerry/fsm"
)

// ErrNoFrame says that a segment has no frame of that seq.
var ErrNoFrame = errors.New("segment has no such frame")

// errFound ends a scan early.
var errFound = errors.New("found")

// Frames lists the frames in seq order; no picture is read. The slice is the
// caller's. Errors: ErrStream, ErrDamaged, those of the file.
func (s *Segment) Frames() (frames []fsm.Frame, err error) {
	defer rescue(&err)
	err = s.scanFrames(false, false, func(f *fsm.Frame, _ []byte) error {
		frames = append(frames, *f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(frames, func(a, b fsm.Frame) int { return cmp.Compare(a.Seq, b.Seq) })
	for i := range frames {
		if frames[i].Seq != s.meta.Cut.First+fsm.Seq(i) {
			return nil, damaged("frame %d is missing or there twice", s.meta.Cut.First+fsm.Seq(i))
		}
	}
	return frames, nil
}

// JPEG returns the picture of a frame, compared with its SHA-256. The bytes
// are the caller's. Errors: ErrNoFrame, ErrStream, ErrDamaged, those of the file.
func (s *Segment) JPEG(seq fsm.Seq) (b []byte, err error) {
	defer rescue(&err)
	if s.meta.Stream != fsm.Frames {
		return nil, ErrStream
	}
	if seq < s.meta.Cut.First || seq > s.meta.Cut.Last {
		return nil, ErrNoFrame
	}
	for i := range s.groups {
		g := &s.groups[i]
		if int64(seq) < g.stats.Seq.Min || int64(seq) > g.stats.Seq.Max {
			continue
		}
		err := s.framesInGroup(g, false, func(r *groupReader, i int, f *fsm.Frame) error {
			if f.Seq != seq {
				return nil
			}
			if b, err = r.picture(i, f); err != nil {
				return err
			}
			b = bytes.Clone(b)
			return errFound
		})
		if errors.Is(err, errFound) {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, damaged("frame %d is missing", seq)
}

// scanFrames calls f for all frames in file order, with their pictures if asked.
func (s *Segment) scanFrames(strict, pictures bool, f func(f *fsm.Frame, jpeg []byte) error) error {
	if s.meta.Stream != fsm.Frames {
		return ErrStream
	}
	for i := range s.groups {
		err := s.framesInGroup(&s.groups[i], strict, func(r *groupReader, i int, frame *fsm.Frame) (err error) {
			var b []byte
			if pictures {
				if b, err = r.picture(i, frame); err != nil {
					return err
				}
			}
			return f(frame, b)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// framesInGroup calls f with each row of a row group.
func (s *Segment) framesInGroup(g *group, strict bool, f func(r *groupReader, i int, frame *fsm.Frame) error) error {
	r, err := s.reader(g)
	if err != nil {
		return err
	}
	r.strict = strict
	var at [frmData]*vector
	for c := range at {
		if len(r.columns[c].pages) != 1 {
			return damaged("%s has %d pages", s.columns[c].name, len(r.columns[c].pages))
		}
		if at[c], err = r.page(c, 0); err != nil {
			return err
		}
	}
	for i := range g.rows {
		frame := fsm.Frame{
			Seq: fsm.Seq(at[frmSeq].ints[i]), Device: at[frmDevice].name(i), Resource: at[frmResource].name(i),
			Time: at[frmTime].ints[i], Received: at[frmReceived].ints[i],
			Width: uint32(at[frmWidth].ints[i]), Height: uint32(at[frmHeight].ints[i]), Size: uint32(at[frmSize].ints[i]),
		}
		if copy(frame.SHA256[:], at[frmSHA256].blobs[i]) != len(frame.SHA256) {
			return damaged("frame %d has no SHA-256", frame.Seq)
		}
		if err := f(r, i, &frame); err != nil {
			return err
		}
	}
	return nil
}

// picture reads the bytes of row i, whose frame is f. They are valid until the
// next picture is read.
func (r *groupReader) picture(i int, f *fsm.Frame) ([]byte, error) {
	if len(r.columns[frmData].pages) != r.g.rows {
		return nil, damaged("%d pages for %d pictures", len(r.columns[frmData].pages), r.g.rows)
	}
	v, err := r.page(frmData, i)
	if err != nil {
		return nil, err
	}
	if err := isPicture(f, v.blobs[0]); err != nil {
		return nil, damaged("%v", err)
	}
	return v.blobs[0], nil
}
