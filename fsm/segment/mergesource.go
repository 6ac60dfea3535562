package segment

import (
	"context"

	"skerry/fsm"
)

// source is one file on its way into another: its next row of the cut.
type source struct {
	s     *Segment
	cut   fsm.Cut
	at    position
	b     batch
	rest  func() // see fsm.Rester
	row   int    // in b
	page  int    // the one after b
	r     *groupReader
	group int // the row group after r's

	named    fsm.SeriesName
	series   uint32
	unitName string
	unit     uint32
	known    bool // series is of named, unit of unitName
}

// next goes to the next row of the cut; more is false when there is none.
func (s *source) next(ctx context.Context) (more bool, err error) {
	for {
		for s.row++; s.row < s.b.rows; s.row++ {
			seq := fsm.Seq(s.b.at[colSeq].ints[s.row])
			if seq >= s.cut.First && seq <= s.cut.Last {
				s.at = position{s.b.device(s.row), s.b.resource(s.row), s.b.at[colTime].ints[s.row], seq}
				return true, nil
			}
		}
		if more, err := s.turn(ctx); err != nil || !more {
			return false, err
		}
	}
}

// turn reads the next page that may hold rows of the cut.
func (s *source) turn(ctx context.Context) (more bool, err error) {
	s.rest()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	for s.r == nil || s.page == len(s.r.columns[colSeq].pages) {
		if s.group == len(s.s.groups) {
			return false, nil
		}
		g := &s.s.groups[s.group]
		s.group++
		s.page = 0
		if uint64(g.stats.Seq.Min) > uint64(s.cut.Last) || uint64(g.stats.Seq.Max) < uint64(s.cut.First) {
			s.r = nil
			continue
		}
		if s.r, err = s.s.reader(g); err != nil {
			return false, err
		}
		if err := s.r.aligned(); err != nil {
			return false, err
		}
	}
	s.row = -1
	s.page++
	return true, s.r.batch(&s.b, s.page-1)
}
