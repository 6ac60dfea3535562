package segment_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// Runs of every kind of ask, put together, are what a search of all rows gives.
func TestRunsAreTheRowsAskedFor(t *testing.T) {
	rows, names := sensors(150_000, 3, 6)
	for i := range rows.Len() {
		if i%5 == 0 && i > 70_000 {
			rows.Kind[i], rows.Bits[i] = fsm.Flag, uint64(i%2)
		}
	}
	b, _ := written(t, rows, names)
	s := opened(t, b)
	name := names.Series[1]
	var all []fsm.Reading
	for i := range rows.Len() {
		if rows.Series[i] == 1 {
			all = append(all, rows.Reading(i, names))
		}
	}
	slices.SortStableFunc(all, func(a, b fsm.Reading) int { return cmp.Compare(a.Time, b.Time) })
	for _, after := range []fsm.Seq{0, 1, 77_777, 149_990, 150_000} {
		for _, whole := range []bool{false, true} {
			for _, descending := range []bool{false, true} {
				ask := segment.Ask{
					Device: name.Device, Resource: name.Resource, From: all[100].Time, To: math.MaxInt64,
					After: after, Descending: descending, Whole: whole,
				}
				var want []string
				for _, r := range all {
					if r.Time >= ask.From && r.Seq > after {
						want = append(want, rowText(r.Time, r.Value.Kind, r.Value))
					}
				}
				got := runRows(t, s, ask)
				if descending {
					slices.Reverse(got)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%+v: %d rows, want %d", ask, len(got), len(want))
				}
			}
		}
	}
}

func rowText(time int64, kind fsm.Kind, v fsm.Value) string { return fmt.Sprint(time, kind, v) }

func runRows(tb testing.TB, s *segment.Segment, ask segment.Ask) (list []string) {
	tb.Helper()
	err := s.Runs(context.Background(), ask, func(r *segment.Run) bool {
		var run []string
		for i := range r.Len() {
			v := fsm.FlagValue(r.Bits[i] != 0)
			if r.KindOf(i) == fsm.Number {
				v = fsm.NumberValue(r.Number(i))
			}
			if ask.Whole {
				if x := r.Reading(i); x.Value.String() != v.String() || x.Time != r.Time[i] || x.Seq <= ask.After {
					tb.Fatalf("row %d is %v, in columns %v at %d", i, x, v, r.Time[i])
				}
			}
			run = append(run, rowText(r.Time[i], r.KindOf(i), v))
		}
		if ask.Descending {
			slices.Reverse(run)
		}
		list = append(list, run...)
		return true
	})
	if err != nil {
		tb.Fatal(err)
	}
	return list
}
