package segment_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

func isErr(err, target error) bool { return errors.Is(err, target) }

func TestTimeRangesIncludeFromAndNotTo(t *testing.T) {
	var readings []fsm.Reading
	for _, at := range []int64{30, 10, 20, 20} { // late and equal ones: by time, then seq
		readings = append(readings, fsm.Reading{Time: at, Value: fsm.NumberValue(1)})
	}
	readings = numbered(1, readings...)
	s := opened(t, writtenReadings(t, readings))
	tests := []struct {
		name     string
		from, to int64
		want     []fsm.Seq
	}{
		{"all of it", math.MinInt64, math.MaxInt64, []fsm.Seq{2, 3, 4, 1}},
		{"from is inside", 20, 31, []fsm.Seq{3, 4, 1}},
		{"to is outside", 10, 20, []fsm.Seq{2}},
		{"one microsecond", 30, 31, []fsm.Seq{1}},
		{"between two readings", 21, 30, nil},
		{"before the first", math.MinInt64, 10, nil},
		{"after the last", 31, math.MaxInt64, nil},
		{"an empty range", 20, 20, nil},
		{"a range turned round", 30, 10, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []fsm.Seq
			for _, r := range series(t, s, "pump-7", "temperature", test.from, test.to) {
				got = append(got, r.Seq)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got seqs %v, want %v", got, test.want)
			}
		})
	}
}

func TestSeriesEqualsASearchOfAllRows(t *testing.T) {
	rows, names := sensors(200_000, 37, 4) // series that begin and end inside pages and row groups
	b, _ := written(t, rows, names)
	s := opened(t, b)
	want := make(map[fsm.SeriesName][]fsm.Reading)
	for i := range rows.Len() {
		r := rows.Reading(i, names)
		name := fsm.SeriesName{Device: r.Device, Resource: r.Resource}
		want[name] = append(want[name], r)
	}
	for name, list := range want {
		slices.SortStableFunc(list, func(a, b fsm.Reading) int { return cmp.Compare(a.Time, b.Time) })
		from, to := list[len(list)/3].Time, list[len(list)*2/3].Time
		for _, span := range [][2]int64{{math.MinInt64, math.MaxInt64}, {from, to}, {to, math.MaxInt64}} {
			var part []fsm.Reading
			for _, r := range list {
				if span[0] <= r.Time && r.Time < span[1] {
					part = append(part, r)
				}
			}
			if got := series(t, s, name.Device, name.Resource, span[0], span[1]); !same(got, part) {
				t.Fatalf("%v in %v: got %d readings, want %d", name, span, len(got), len(part))
			}
		}
	}
	for _, name := range []fsm.SeriesName{{Device: "pump-0", Resource: "nothing"}, {Device: "nobody", Resource: "temperature"}, {}} {
		if got := series(t, s, name.Device, name.Resource, math.MinInt64, math.MaxInt64); got != nil {
			t.Errorf("%v: got %d readings, want none", name, len(got))
		}
	}
}

func TestSeriesStopsWhenTold(t *testing.T) {
	rows, names := sensors(10_000, 2, 5)
	b, _ := written(t, rows, names)
	s := opened(t, b)
	n := 0
	err := s.Series(context.Background(), "pump-0", "humidity", 0, math.MaxInt64, func(fsm.Reading) bool { n++; return n < 3 })
	if n != 3 || err != nil {
		t.Errorf("got %d readings and %v, want 3 and no error", n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = s.Series(ctx, "pump-0", "humidity", 0, math.MaxInt64, func(fsm.Reading) bool { return true })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestBigTextsAndBytesTurnPagesEarly(t *testing.T) {
	var readings []fsm.Reading
	for i := range 100 {
		readings = append(readings, fsm.Reading{Time: int64(i), Value: fsm.DataValue(bytes.Repeat([]byte{byte(i), 7}, fsm.MaxData/2))})
	}
	readings = numbered(1, readings...)
	b := writtenReadings(t, readings)
	s := opened(t, b)
	if got := series(t, s, "pump-7", "temperature", 40, 60); !same(got, readings[40:60]) {
		t.Errorf("got %d readings, want 20 as they were", len(got))
	}
	if got := all(t, s); !same(got, readings) {
		t.Error("All: readings differ")
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
	if share > 2.5 {
		t.Errorf("a series took %.2f %% of the file, want at most 2.5 %%", share)
	}
}
