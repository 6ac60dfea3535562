package segment_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// day is 2026-11-21 and start its first microsecond.
const (
	day         = 20778
	start int64 = day * 86400 * 1_000_000
)

// sensors makes n readings as a site of so many series sees them: one reading
// a second from each, in any order, values that walk in steps of 0.01 or 0.1,
// 200 readings an entry of the log.
func sensors(n, series int, seed uint64) (*fsm.Rows, *fsm.Names) {
	random := rand.New(rand.NewPCG(seed, 1))
	rows, names := &fsm.Rows{First: 1}, &fsm.Names{Units: []string{"", "Cel", "%RH"}}
	value := make([]int, series)
	step := make([]float64, series)
	late := make([]int64, series)
	for s := range series {
		names.Series = append(names.Series, fsm.SeriesName{
			Device:   fmt.Sprintf("pump-%d", s/2),
			Resource: []string{"temperature", "humidity"}[s%2],
		})
		step[s] = []float64{100, 10}[s%2]
		value[s] = int([]float64{20, 50}[s%2]*step[s]) + random.IntN(1000)
		late[s] = random.Int64N(1_000_000)
	}
	var turn []int // the series of this second, as they arrive
	for i := range n {
		if i%series == 0 {
			turn = random.Perm(series)
		}
		s := turn[i%series]
		now := start + int64(i/series)*1_000_000
		value[s] += random.IntN(5) - 2
		if i%200 == 0 {
			rows.Stamps = append(rows.Stamps, fsm.Stamp{Row: uint32(i), Received: now + int64(i%series)*1_000_000/int64(series) + random.Int64N(1000)})
		}
		rows.Series = append(rows.Series, uint32(s))
		rows.Unit = append(rows.Unit, uint32(1+s%2))
		rows.Time = append(rows.Time, now+late[s]+random.Int64N(10_000)-5_000)
		rows.Kind = append(rows.Kind, fsm.Number)
		rows.Bits = append(rows.Bits, math.Float64bits(float64(value[s])/step[s]))
	}
	return rows, names
}

// cutOf is the cut of rows as fsm would record it.
func cutOf(rows *fsm.Rows, names *fsm.Names) fsm.Cut {
	cut := fsm.Cut{First: rows.First, Last: rows.Last(), Day: day}
	for i := range rows.Len() {
		r := rows.Reading(i, names)
		cut.Digest.Add(fsm.HashReading(&r))
	}
	return cut
}

// written is a segment's bytes and what Write said of it.
func written(tb testing.TB, rows *fsm.Rows, names *fsm.Names) ([]byte, segment.Stats) {
	tb.Helper()
	var b bytes.Buffer
	stats, err := segment.Write(&b, "demo", cutOf(rows, names), rows, names)
	if err != nil {
		tb.Fatalf("Write: %v", err)
	}
	return b.Bytes(), stats
}

func opened(tb testing.TB, b []byte) *segment.Segment {
	tb.Helper()
	s, err := segment.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	return s
}

// series collects what Series finds.
func series(tb testing.TB, s *segment.Segment, device, resource string, from, to int64) []fsm.Reading {
	tb.Helper()
	var list []fsm.Reading
	err := s.Series(context.Background(), device, resource, from, to, func(r fsm.Reading) bool {
		list = append(list, r)
		return true
	})
	if err != nil {
		tb.Fatalf("Series(%s, %s): %v", device, resource, err)
	}
	return list
}

// slice is rows lo to hi of rows.
func slice(rows *fsm.Rows, lo, hi int) *fsm.Rows {
	part := &fsm.Rows{
		First: rows.First + fsm.Seq(lo), Series: rows.Series[lo:hi], Unit: rows.Unit[lo:hi], Time: rows.Time[lo:hi],
		Kind: rows.Kind[lo:hi], Bits: rows.Bits[lo:hi], Blob: rows.Blob,
	}
	for i := lo; i < hi; i++ {
		if at := rows.Received(i); i == lo || at != rows.Received(i-1) {
			part.Stamps = append(part.Stamps, fsm.Stamp{Row: uint32(i - lo), Received: at})
		}
	}
	return part
}
