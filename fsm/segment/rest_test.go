package segment_test

import (
	"bytes"
	"testing"

	"skerry/fsm/segment"
)

// resting is a writer that rests, and counts how often.
type resting struct {
	bytes.Buffer
	rests  int
	before int // of them, before anything but the magic number was written
}

func (r *resting) Rest() {
	r.rests++
	if r.Len() <= len("PAR1") {
		r.before++
	}
}

func TestAWriterIsToldBetweenPiecesOfWorkAndGetsTheSameFile(t *testing.T) {
	const pages = 13 // of 8,192 rows
	rows, names := sensors(100_000, 300, 7)
	cut := cutOf(rows, names)
	want, _ := written(t, rows, names)
	var files []*segment.Segment
	for lo := 0; lo < rows.Len(); lo += 25_000 {
		files = append(files, opened(t, first(written(t, slice(rows, lo, lo+25_000), names))))
	}
	for _, c := range []struct {
		name   string
		write  func(w *resting) error
		before int // sorting, gathering, hashing and dictionaries come before the first page
	}{
		{"a cut's file", func(w *resting) error {
			_, err := segment.Write(w, "demo", cut, rows, names)
			return err
		}, 5*pages + 5},
		{"a merged file", func(w *resting) error {
			_, err := segment.Merge(t.Context(), w, "demo", cut, files)
			return err
		}, 21},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w resting
			if err := c.write(&w); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(w.Bytes(), want) {
				t.Error("the file differs from that of a writer that does not rest")
			}
			if w.before < c.before {
				t.Errorf("%d rests before the first page, want %d at least", w.before, c.before)
			}
			if got := w.rests - w.before; got < 8*pages {
				t.Errorf("%d rests with the pages, want one for each of %d at least", got, 8*pages)
			}
		})
	}
}
