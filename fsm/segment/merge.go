package segment

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"skerry/fsm"
)

// mergeBlobBytes ends a row group of merged rows before its text and data take
// more memory.
const mergeBlobBytes = 4 << 20

// Merge writes one readings segment with the cut's rows from files that hold
// them together: of neighbouring cuts, to make one of them, or of more rows
// than the cut's, to get the cut's own back. Rows of other seqs are left out.
// It holds one page of each file and one row group in memory. Errors:
// ErrOtherRows when the files do not hold exactly the cut's rows, ErrDamaged,
// ErrStream, those of ctx, w and the files; then what was written is no segment.
func Merge(ctx context.Context, w io.Writer, site string, cut fsm.Cut, files []*Segment) (stats Stats, err error) {
	defer rescue(&err)
	m := merger{ctx: ctx, rest: fsm.RestOf(w), cut: cut, rows: &fsm.Rows{}, names: &fsm.Names{}, series: map[fsm.SeriesName]uint32{}, units: map[string]uint32{}}
	for _, s := range files {
		if s.meta.Stream != fsm.Readings {
			return Stats{}, ErrStream
		}
		if err := m.open(s); err != nil {
			return Stats{}, err
		}
	}
	f, err := create(w, readingColumns)
	if err != nil {
		return Stats{}, err
	}
	m.group = emptyGroup(m.rows, m.names, min(cut.Rows(), groupRows), m.rest)
	for {
		n, err := m.fill()
		if err != nil {
			return Stats{}, err
		}
		if n == 0 {
			break
		}
		if err := m.group.write(f); err != nil {
			return Stats{}, fmt.Errorf("merge segments: %w", err)
		}
		stats.add(m.group.stats())
	}
	if stats.Rows != cut.Rows() || m.group.digest != cut.Digest {
		return Stats{}, fmt.Errorf("%w: the files hold %d of %d, or others", ErrOtherRows, stats.Rows, cut.Rows())
	}
	meta := Meta{Site: site, Stream: fsm.Readings, Cut: cut, Erased: m.group.erased}
	if err := f.close(meta.pairs()); err != nil {
		return Stats{}, fmt.Errorf("merge segments: %w", err)
	}
	stats.Size = f.off
	return stats, nil
}

// merger takes rows from files in the order of a file.
//
// Invariant: sources hold a row each, none comes before last.
type merger struct {
	ctx     context.Context
	rest    func() // see fsm.Rester
	cut     fsm.Cut
	sources []*source
	last    position
	any     bool // last was taken

	group *readingGroup
	// names of all rows taken so far, and text and data of the group's rows
	rows   *fsm.Rows
	names  *fsm.Names
	series map[fsm.SeriesName]uint32
	units  map[string]uint32
}

// open adds a file, unless it has none of the rows.
func (m *merger) open(s *Segment) error {
	src := &source{s: s, cut: m.cut, row: -1, rest: m.rest}
	more, err := src.next(m.ctx)
	if more {
		m.sources = append(m.sources, src)
	}
	return err
}

// fill makes a row group of the next rows and returns how many there are.
func (m *merger) fill() (n int, err error) {
	g := m.group
	g.resize(cap(g.seq))
	m.rows.Blob = m.rows.Blob[:0]
	for n < g.n && len(m.rows.Blob) < mergeBlobBytes && len(m.sources) > 0 {
		src, bound := m.nearest()
		for n < g.n && len(m.rows.Blob) < mergeBlobBytes {
			if err := m.take(src, n); err != nil {
				return 0, err
			}
			n++
			more, err := src.next(m.ctx)
			if err != nil {
				return 0, err
			}
			if !more {
				m.drop(src)
				break
			}
			if bound != nil && src.at.compare(&bound.at) > 0 {
				break
			}
		}
	}
	if n > 0 {
		g.resize(n)
		g.seriesHash, g.unitHash = grown(g.seriesHash, len(m.names.Series)), grown(g.unitHash, len(m.names.Units))
		g.prepare()
	}
	return n, nil
}

// nearest is the source whose row comes first and the one that follows it, nil
// when there is none.
func (m *merger) nearest() (first, second *source) {
	for _, s := range m.sources {
		switch {
		case first == nil || s.at.compare(&first.at) < 0:
			first, second = s, first
		case second == nil || s.at.compare(&second.at) < 0:
			second = s
		}
	}
	return first, second
}

func (m *merger) drop(src *source) {
	for i, s := range m.sources {
		if s == src {
			m.sources = append(m.sources[:i], m.sources[i+1:]...)
			return
		}
	}
}

// take puts a source's row at row i of the group.
func (m *merger) take(src *source, i int) error {
	if m.any && m.last.compare(&src.at) >= 0 {
		return damaged("seq %d is out of order or there twice", src.at.seq)
	}
	m.last, m.any = src.at, true
	if !src.known || src.named != (fsm.SeriesName{Device: src.at.device, Resource: src.at.resource}) {
		src.named = fsm.SeriesName{Device: src.at.device, Resource: src.at.resource}
		src.series = idOf(m.series, &m.names.Series, src.named)
	}
	if u := src.b.unit(src.row); !src.known || u != src.unitName {
		src.unitName, src.known = u, true
		src.unit = idOf(m.units, &m.names.Units, u)
	}
	g, b, row := m.group, &src.b, src.row
	g.seq[i], g.time[i], g.recv[i] = int64(src.at.seq), src.at.time, b.at[colReceived].ints[row]
	g.seriesID[i], g.unitID[i], g.kind[i] = src.series, src.unit, b.kinds[row]
	switch g.kind[i] {
	case fsm.Number, fsm.Flag:
		g.bits[i] = int64(b.bits(row))
	default:
		bits, err := appendBlob(m.rows, b.blob(row))
		if err != nil {
			return err
		}
		g.bits[i] = int64(bits)
	}
	return nil
}

// idOf is the place of a name in a list, which grows by new ones.
func idOf[T comparable](ids map[T]uint32, list *[]T, name T) uint32 {
	id, ok := ids[name]
	if !ok {
		id = uint32(len(*list))
		ids[name] = id
		*list = append(*list, name)
	}
	return id
}

func grown(s []uint64, n int) []uint64 { return append(s, make([]uint64, n-len(s))...) }

// compare is the order of rows in a file.
func (p *position) compare(q *position) int {
	return cmp.Or(cmp.Compare(p.device, q.device), cmp.Compare(p.resource, q.resource), cmp.Compare(p.time, q.time), cmp.Compare(p.seq, q.seq))
}
