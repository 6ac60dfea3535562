package segment

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"skerry/fsm"
)

// Erase writes a segment again without the rows that are erased: they are
// erased in place, and the file is of the same cut. It holds all rows in memory,
// or one picture. Errors: ErrDamaged, those of w and the file.
func Erase(ctx context.Context, w io.Writer, site string, s *Segment, e fsm.Erasures) (Stats, error) {
	if s.meta.Stream == fsm.Frames {
		return eraseFrames(ctx, w, site, s, e)
	}
	rows, names, err := s.All()
	if err != nil {
		return Stats{}, err
	}
	if err := ctx.Err(); err != nil {
		return Stats{}, err
	}
	rows, names = e.EraseRows(rows, names)
	return Write(w, site, s.meta.Cut, rows, names)
}

func eraseFrames(ctx context.Context, w io.Writer, site string, s *Segment, e fsm.Erasures) (Stats, error) {
	frames, err := s.Frames()
	if err != nil {
		return Stats{}, err
	}
	for i := range frames {
		if f := &frames[i]; e.Erased(fsm.Frames, f.Device, f.Seq) {
			fsm.EraseFrame(f)
		}
	}
	return WriteFrames(w, site, s.meta.Cut, frames, func(i int) ([]byte, error) {
		if err := ctx.Err(); err != nil || fsm.IsErased(frames[i].Device) {
			return nil, err
		}
		return s.JPEG(frames[i].Seq)
	})
}

// Holds reports whether a segment has a row that is erased and still there. It
// reads the pages that may have one. Errors: ErrDamaged, those of ctx and the
// file.
func (s *Segment) Holds(ctx context.Context, e fsm.Erasures) (held bool, err error) {
	defer rescue(&err)
	if s.meta.Stream == fsm.Frames {
		frames, err := s.Frames()
		return slices.ContainsFunc(frames, func(f fsm.Frame) bool { return e.Erased(fsm.Frames, f.Device, f.Seq) }), err
	}
	for i := range s.groups {
		g := &s.groups[i]
		in := func(x fsm.Erasure) bool {
			d := &g.stats.Device
			return d.Min <= x.Device && x.Device <= d.Max && uint64(g.stats.Seq.Min) <= uint64(x.UpTo[fsm.Readings])
		}
		if !slices.ContainsFunc(e, in) {
			continue
		}
		if held, err := s.groupHolds(ctx, g, e); held || err != nil {
			return held, err
		}
	}
	return false, nil
}

func (s *Segment) groupHolds(ctx context.Context, g *group, e fsm.Erasures) (bool, error) {
	r, err := s.reader(g)
	if err != nil {
		return false, err
	}
	if err := r.aligned(); err != nil {
		return false, err
	}
	var b batch
	bounds := &r.columns[colDevice].bounds
	for page := range r.columns[colSeq].pages {
		in := func(x fsm.Erasure) bool {
			return bytes.Compare(bounds.MinValues[page], []byte(x.Device)) <= 0 && bytes.Compare([]byte(x.Device), bounds.MaxValues[page]) <= 0
		}
		if !slices.ContainsFunc(e, in) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		for _, c := range []int{colSeq, colDevice} {
			if b.at[c], err = r.page(c, page); err != nil {
				return false, fmt.Errorf("page %d: %w", page, err)
			}
		}
		for i := range b.at[colSeq].rows {
			if e.Erased(fsm.Readings, b.device(i), fsm.Seq(b.at[colSeq].ints[i])) {
				return true, nil
			}
		}
	}
	return false, nil
}
