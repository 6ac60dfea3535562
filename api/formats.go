package api

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// rowWriter writes an answer's rows one by one.
type rowWriter[T any] interface {
	begin() error
	row(r *T) error
	end(next string) error
}

// shape is how rows of one sort look.
type shape[T any] struct {
	name    string // of their list in JSON
	value   func(r *T) any
	columns []string
	record  func(r *T) []string
}

var readingShape = shape[fsm.Reading]{
	name: "readings", value: func(r *fsm.Reading) any { return rowOf(r) }, columns: columns, record: record,
}

// newRows writes to w in a format: csv, jsonl or json.
func newRows[T any](w http.ResponseWriter, format string, s shape[T]) rowWriter[T] {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	switch format {
	case "csv":
		h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
		h.Set("Trailer", nextHeader)
		return &csvRows[T]{w: w, enc: csv.NewWriter(w), shape: s}
	case "jsonl":
		h.Set("Content-Type", "application/jsonl")
		h.Set("Trailer", nextHeader)
		return &lineRows[T]{w: w, enc: newEncoder(w), shape: s}
	}
	h.Set("Content-Type", "application/json")
	return &jsonRows[T]{w: w, enc: newEncoder(w), shape: s}
}

func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// jsonRows writes {"readings":[...],"next":"..."}.
type jsonRows[T any] struct {
	w     io.Writer
	enc   *json.Encoder
	shape shape[T]
	some  bool
}

func (j *jsonRows[T]) begin() error {
	_, err := io.WriteString(j.w, `{"`+j.shape.name+`":[`)
	return err
}

func (j *jsonRows[T]) row(r *T) error {
	if j.some {
		if _, err := io.WriteString(j.w, ","); err != nil {
			return err
		}
	}
	j.some = true
	return j.enc.Encode(j.shape.value(r))
}

func (j *jsonRows[T]) end(next string) error {
	if _, err := io.WriteString(j.w, `],"next":`); err != nil {
		return err
	}
	if err := j.enc.Encode(next); err != nil {
		return err
	}
	_, err := io.WriteString(j.w, "}\n")
	return err
}

// lineRows writes one JSON value a line.
type lineRows[T any] struct {
	w     http.ResponseWriter
	enc   *json.Encoder
	shape shape[T]
}

func (l *lineRows[T]) begin() error   { return nil }
func (l *lineRows[T]) row(r *T) error { return l.enc.Encode(l.shape.value(r)) }

func (l *lineRows[T]) end(next string) error {
	l.w.Header().Set(nextHeader, next)
	return nil
}

// csvRows writes RFC 4180 with a header line.
type csvRows[T any] struct {
	w     http.ResponseWriter
	enc   *csv.Writer
	shape shape[T]
}

func (c *csvRows[T]) begin() error { return c.enc.Write(c.shape.columns) }

func (c *csvRows[T]) row(r *T) error { return c.enc.Write(c.shape.record(r)) }

func (c *csvRows[T]) end(next string) error {
	c.enc.Flush()
	c.w.Header().Set(nextHeader, next)
	return c.enc.Error()
}

// parquetRows writes one Parquet file, a row group at a time.
type parquetRows struct {
	w     http.ResponseWriter
	table *segment.Table
}

func newParquetRows(w http.ResponseWriter) *parquetRows {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/vnd.apache.parquet")
	h.Set("Trailer", nextHeader)
	return &parquetRows{w: w}
}

func (p *parquetRows) begin() (err error) {
	p.table, err = segment.NewTable(p.w)
	return err
}

func (p *parquetRows) row(r *fsm.Reading) error { return p.table.Add(r) }

func (p *parquetRows) end(next string) error {
	p.w.Header().Set(nextHeader, next)
	return p.table.Close()
}
