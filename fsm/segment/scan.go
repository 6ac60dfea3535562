package segment

import (
	"slices"

	"skerry/fsm"
)

// batch is one page of readings in columns.
type batch struct {
	rows  int
	at    [colData + 1]*vector // nil where all rows are null
	kinds []fsm.Kind
}

// batch reads a page of all columns.
func (r *groupReader) batch(b *batch, page int) error {
	b.rows = r.rows(colSeq, page)
	for c := range b.at {
		b.at[c] = nil
		if !r.strict && r.empty(c) {
			continue
		}
		v, err := r.page(c, page)
		if err != nil {
			return err
		}
		b.at[c] = v
	}
	return b.setKinds()
}

// setKinds finds the kind of each row's value by the column that has it.
func (b *batch) setKinds() error {
	b.kinds = resize(b.kinds, b.rows)
	clear(b.kinds)
	for c, kind := range kindOf {
		v := b.at[c]
		if kind == 0 || v == nil {
			continue
		}
		for i, d := range v.def {
			if d == 0 {
				continue
			}
			if b.kinds[i] != 0 {
				return damaged("a row has two values")
			}
			b.kinds[i] = kind
		}
	}
	if slices.Contains(b.kinds, 0) {
		return damaged("a row has no value")
	}
	return nil
}

// kindOf is the kind of values in a column, 0 for other columns.
var kindOf = [colData + 1]fsm.Kind{colValue: fsm.Number, colFlag: fsm.Flag, colText: fsm.Text, colData: fsm.Data}

// device and resource are names of row i.
func (b *batch) device(i int) string   { return b.at[colDevice].name(i) }
func (b *batch) resource(i int) string { return b.at[colResource].name(i) }

// unit is "" where the column is null.
func (b *batch) unit(i int) string {
	if v := b.at[colUnit]; v != nil && v.def[i] != 0 {
		return v.name(i)
	}
	return ""
}

// bits is the value of a row that holds a number or a flag.
func (b *batch) bits(i int) uint64 { return uint64(b.at[columnOf(b.kinds[i])].ints[i]) }

// blob is the value of a row that holds text or bytes. It is valid until the
// next page.
func (b *batch) blob(i int) []byte { return b.at[columnOf(b.kinds[i])].blobs[i] }

func (v *vector) name(i int) string {
	if v.blobs != nil {
		return string(v.blobs[i])
	}
	return v.names[v.ids[i]]
}

// aligned tells that all columns of a readings row group turn pages together.
func (r *groupReader) aligned() error {
	for c := range r.columns {
		if len(r.columns[c].pages) != len(r.columns[0].pages) {
			return damaged("columns have different numbers of pages")
		}
		for i := range r.columns[c].pages {
			if r.columns[c].pages[i].FirstRowIndex != r.columns[0].pages[i].FirstRowIndex {
				return damaged("columns turn pages at different rows")
			}
		}
	}
	return nil
}

// scan reads all pages of a readings segment, one after the other. The batch
// is valid during the call.
func (s *Segment) scan(strict bool, f func(b *batch) error) error {
	if s.meta.Stream != fsm.Readings {
		return ErrStream
	}
	var b batch
	for i := range s.groups {
		r, err := s.reader(&s.groups[i])
		if err != nil {
			return err
		}
		if err := r.aligned(); err != nil {
			return err
		}
		r.strict = strict
		for page := range r.columns[colSeq].pages {
			if err := r.batch(&b, page); err != nil {
				return err
			}
			if err := f(&b); err != nil {
				return err
			}
		}
	}
	return nil
}
