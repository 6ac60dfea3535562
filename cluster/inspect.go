package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"skerry/cluster/archive"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// Inspect reads a snapshot file to its end and checks all of it: its sums, and
// that it holds exactly what its state lists. It needs no node. Errors:
// archive.ErrNot, archive.ErrNewer, archive.ErrDamaged.
func Inspect(f io.ReaderAt, size int64) (archive.Summary, error) {
	_, a, err := inspect(f, size)
	if err != nil {
		return archive.Summary{}, err
	}
	return a.Manifest(), nil
}

func inspect(f io.ReaderAt, size int64) (*fsm.State, *archive.Reader, error) {
	a, err := archive.NewReader(io.NewSectionReader(f, 0, size))
	if err != nil {
		return nil, nil, err
	}
	if level := fsm.Level(a.Manifest().Level); level > fsm.NewestLevel {
		return nil, nil, fmt.Errorf("%w (its site is at level %d, this skerry knows up to %d)", archive.ErrNewer, level, fsm.NewestLevel)
	}
	state, err := readState(a)
	if err != nil {
		return nil, nil, err
	}
	m := a.Manifest()
	g, _ := state.Genesis()
	if m.Site != g.Site || m.Digest != state.DigestString() || m.Lineage != hex.EncodeToString(g.Lineage[:]) {
		return nil, nil, fmt.Errorf("%w (its manifest is of another state)", archive.ErrDamaged)
	}
	for stream, kind := range []archive.Kind{fsm.Readings: archive.Readings, fsm.Frames: archive.Frames} {
		for _, c := range state.Cuts(fsm.Stream(stream)) {
			if err := checkSegment(a, f, kind, c); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, frame := range state.OpenFrames() {
		if err := checkFrame(a, &frame); err != nil {
			return nil, nil, err
		}
	}
	if s, err := a.Next(); err == nil {
		return nil, nil, fmt.Errorf("%w (a section of kind %d too many)", archive.ErrDamaged, s.Kind)
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	return state, a, nil
}

func readState(a *archive.Reader) (*fsm.State, error) {
	if _, err := want(a, archive.State, 0, 0); err != nil {
		return nil, err
	}
	state, err := fsm.Restore(a)
	switch {
	case errors.Is(err, fsm.ErrNewer):
		return nil, fmt.Errorf("%w (%w)", archive.ErrNewer, err)
	case err != nil:
		return nil, fmt.Errorf("%w (%w)", archive.ErrDamaged, err)
	}
	return state, nil
}

// want takes the next section, which must be this one.
func want(a *archive.Reader, kind archive.Kind, first, last uint64) (archive.Section, error) {
	s, err := a.Next()
	if errors.Is(err, io.EOF) {
		return s, fmt.Errorf("%w (it ends without all that its state lists)", archive.ErrDamaged)
	}
	if err == nil && (s.Kind != kind || s.First != first || s.Last != last) {
		err = fmt.Errorf("%w (section %d of %d to %d in place of %d of %d to %d)", archive.ErrDamaged, s.Kind, s.First, s.Last, kind, first, last)
	}
	return s, err
}

func checkSegment(a *archive.Reader, f io.ReaderAt, kind archive.Kind, c fsm.Cut) error {
	s, err := want(a, kind, uint64(c.First), uint64(c.Last))
	if err != nil {
		return err
	}
	seg, err := segment.Open(io.NewSectionReader(f, a.Offset(), s.Size), s.Size)
	if err == nil {
		err = seg.Verify(c)
	}
	if err != nil {
		return fmt.Errorf("%w (segment %d to %d: %w)", archive.ErrDamaged, c.First, c.Last, err)
	}
	return nil
}

func checkFrame(a *archive.Reader, frame *fsm.Frame) error {
	s, err := want(a, archive.Frame, uint64(frame.Seq), uint64(frame.Seq))
	if err != nil {
		return err
	}
	sum := sha256.New()
	if n, err := io.Copy(sum, a); err != nil {
		return err
	} else if n != int64(frame.Size) || n != s.Size || [32]byte(sum.Sum(nil)) != frame.SHA256 {
		return fmt.Errorf("%w (frame %d)", archive.ErrDamaged, frame.Seq)
	}
	return nil
}
