package segment_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

const million = 1_000_000

func BenchmarkWrite(b *testing.B) {
	rows, names := sensors(million, 1000, 1)
	cut := cutOf(rows, names)
	var size int64
	b.ResetTimer()
	for b.Loop() {
		stats, err := segment.Write(io.Discard, "demo", cut, rows, names)
		if err != nil {
			b.Fatal(err)
		}
		size = stats.Size
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/million, "ns/row")
	b.ReportMetric(float64(size)/million, "B/row")
}

func BenchmarkAll(b *testing.B) {
	s := benchSegment(b)
	for b.Loop() {
		if _, _, err := s.All(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/million, "ns/row")
}

func BenchmarkVerify(b *testing.B) {
	s := benchSegment(b)
	for b.Loop() {
		if err := s.Verify(s.Cut()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/million, "ns/row")
}

func BenchmarkOpenAndSeries(b *testing.B) {
	rows, names := sensors(million, 1000, 1)
	file, _ := written(b, rows, names)
	b.ResetTimer()
	for b.Loop() {
		s, err := segment.Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		err = s.Series(context.Background(), "pump-77", "humidity", 0, math.MaxInt64, func(fsm.Reading) bool { n++; return true })
		if err != nil || n != 1000 {
			b.Fatalf("%d readings, %v", n, err)
		}
	}
}

func benchSegment(b *testing.B) *segment.Segment {
	rows, names := sensors(million, 1000, 1)
	file, _ := written(b, rows, names)
	s := opened(b, file)
	b.ResetTimer()
	return s
}
