package segment_test

import (
	"bytes"
	"io"
	"math"
	"reflect"
	"testing"

	"skerry/fsm/segment"
)

func TestAMillionRowsComeBack(t *testing.T) {
	rows, names := sensors(200_000, 300, 3)
	b, stats := written(t, rows, names)
	t.Logf("%.2f B/row", float64(len(b))/200_000)
	s := opened(t, b)
	if got := s.Stats(); got != stats {
		t.Errorf("got stats %+v, Write said %+v", got, stats)
	}
	if err := s.Verify(cutOf(rows, names)); err != nil {
		t.Fatal(err)
	}
	got, gotNames, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows.Len() {
		if got, want := got.Reading(i, gotNames), rows.Reading(i, names); !reflect.DeepEqual(got, want) {
			t.Fatalf("row %d: got %+v, want %+v", i, got, want)
		}
	}
}

// counter counts the bytes read through it.
type counter struct {
	io.ReaderAt
	bytes int64
}

func (c *counter) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.bytes += int64(n)
	return n, err
}

func TestOneSeriesIsReadWithoutTheRest(t *testing.T) {
	rows, names := sensors(1_000_000, 1000, 2)
	b, _ := written(t, rows, names)
	worst := int64(0)
	for _, name := range names.Series {
		c := &counter{ReaderAt: bytes.NewReader(b)}
		s, err := segment.Open(c, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(series(t, s, name.Device, name.Resource, math.MinInt64, math.MaxInt64)); got != 1000 {
			t.Errorf("%v: got %d readings, want 1000", name, got)
		}
		worst = max(worst, c.bytes)
	}
	share := 100 * float64(worst) / float64(len(b))
	t.Logf("footer, indexes and pages: at most %d of %d bytes, %.2f %%", worst, len(b), share)
	if share > 2 {
		t.Errorf("a series took %.2f %% of the file, want at most 2 %%", share)
	}
}
