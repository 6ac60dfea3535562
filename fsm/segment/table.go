package segment

import (
	"errors"
	"fmt"
	"io"

	"skerry/fsm"
)

// tableBytes bounds the texts and bytes of a row group of a table.
const tableBytes = 16 << 20

// errOpenRows refuses rows after Close.
var errOpenRows = errors.New("the table is closed")

// Table writes readings of any seqs as a plain Parquet file with a segment's
// columns, for people and their tools. It is no segment: Open refuses it. It
// holds one row group, at most 65,536 rows, each of which is sorted by device,
// resource, time and then as the rows came.
type Table struct {
	f      *file
	rows   fsm.Rows
	names  fsm.Names
	seqs   []int64
	series map[fsm.SeriesName]uint32
	units  map[string]uint32
	closed bool
}

// NewTable begins a file; nothing of it can be read before Close.
func NewTable(w io.Writer) (*Table, error) {
	f, err := create(w, readingColumns)
	if err != nil {
		return nil, err
	}
	f.foreign = true
	t := &Table{f: f}
	t.begin()
	return t, nil
}

// begin starts a row group.
func (t *Table) begin() {
	r := &t.rows
	*r = fsm.Rows{
		Series: r.Series[:0], Unit: r.Unit[:0], Time: r.Time[:0], Kind: r.Kind[:0], Bits: r.Bits[:0], Blob: r.Blob[:0], Stamps: r.Stamps[:0],
	}
	t.names = fsm.Names{Units: []string{""}}
	t.seqs = t.seqs[:0]
	t.series, t.units = make(map[fsm.SeriesName]uint32), map[string]uint32{"": 0}
}

// Add appends a reading, which it does not keep.
func (t *Table) Add(r *fsm.Reading) error {
	if t.closed {
		return errOpenRows
	}
	rows := &t.rows
	if n := len(rows.Stamps); n == 0 || rows.Stamps[n-1].Received != r.Received {
		rows.Stamps = append(rows.Stamps, fsm.Stamp{Row: uint32(rows.Len()), Received: r.Received})
	}
	bits, err := appendValue(rows, r.Value)
	if err != nil {
		return err
	}
	rows.Series = append(rows.Series, t.seriesID(fsm.SeriesName{Device: r.Device, Resource: r.Resource}))
	rows.Unit = append(rows.Unit, t.unitID(r.Unit))
	rows.Time = append(rows.Time, r.Time)
	rows.Kind = append(rows.Kind, r.Value.Kind)
	rows.Bits = append(rows.Bits, bits)
	t.seqs = append(t.seqs, int64(r.Seq))
	if len(t.seqs) == groupRows || len(rows.Blob) >= tableBytes {
		return t.flush()
	}
	return nil
}

func (t *Table) seriesID(name fsm.SeriesName) uint32 {
	id, ok := t.series[name]
	if !ok {
		id = uint32(len(t.names.Series))
		t.series[name] = id
		t.names.Series = append(t.names.Series, name)
	}
	return id
}

func (t *Table) unitID(unit string) uint32 {
	id, ok := t.units[unit]
	if !ok {
		id = uint32(len(t.names.Units))
		t.units[unit] = id
		t.names.Units = append(t.names.Units, unit)
	}
	return id
}

// flush writes the row group.
func (t *Table) flush() error {
	if len(t.seqs) == 0 {
		return nil
	}
	g := newReadingGroup(&t.rows, &t.names, t.f.rest)
	g.seqs = t.seqs
	g.gather(order(&t.rows, &t.names, t.f.rest))
	if err := g.write(t.f); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	t.begin()
	return nil
}

// Close writes what is left and the footer. It does not close the writer.
func (t *Table) Close() error {
	if t.closed {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.closed = true
	if err := t.f.close(nil); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
