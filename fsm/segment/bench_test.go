package segment_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"syscall"
	"testing"
	"time"

	"skerry/fsm"
	"skerry/fsm/segment"
)

const million = 1_000_000

// perRow reports the CPU, of all threads, that b took for each row since start.
func perRow(b *testing.B, start time.Duration) {
	b.ReportMetric(float64(cpu(b)-start)/float64(b.N)/million, "cpu-ns/row")
}

// cpu is the CPU time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkWrite(b *testing.B) {
	rows, names := sensors(million, 1000, 1)
	cut := cutOf(rows, names)
	var size int64
	start := cpu(b)
	b.ResetTimer()
	for b.Loop() {
		stats, err := segment.Write(io.Discard, "demo", cut, rows, names)
		if err != nil {
			b.Fatal(err)
		}
		size = stats.Size
	}
	perRow(b, start)
	b.ReportMetric(float64(size)/million, "B/row")
}

func BenchmarkAll(b *testing.B) {
	s := benchSegment(b)
	start := cpu(b)
	for b.Loop() {
		if _, _, err := s.All(); err != nil {
			b.Fatal(err)
		}
	}
	perRow(b, start)
}

func BenchmarkVerify(b *testing.B) {
	s := benchSegment(b)
	start := cpu(b)
	for b.Loop() {
		if err := s.Verify(s.Cut()); err != nil {
			b.Fatal(err)
		}
	}
	perRow(b, start)
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

// One series of a million rows, read for its times and numbers, and whole.
func BenchmarkRuns(b *testing.B) {
	rows, names := sensors(million, 1, 1)
	file, _ := written(b, rows, names)
	s := opened(b, file)
	for _, whole := range []bool{false, true} {
		b.Run(map[bool]string{false: "values", true: "whole"}[whole], func(b *testing.B) {
			ask := segment.Ask{Device: "pump-0", Resource: "temperature", From: math.MinInt64, To: math.MaxInt64, Whole: whole}
			start := cpu(b)
			for b.Loop() {
				n, sum := 0, 0.0
				err := s.Runs(context.Background(), ask, func(r *segment.Run) bool {
					n += r.Len()
					for i := range r.Len() {
						sum += r.Number(i)
					}
					return true
				})
				if err != nil || n != million {
					b.Fatalf("%d rows, %v", n, err)
				}
			}
			perRow(b, start)
		})
	}
}

// BenchmarkMerge makes one file of a day of cuts that are as small as a quiet
// site's.
func BenchmarkMerge(b *testing.B) {
	const cuts = 16
	rows, names := sensors(million, 1000, 1)
	var files []*segment.Segment
	var small int
	for i := range cuts {
		file, _ := written(b, slice(rows, i*million/cuts, (i+1)*million/cuts), names)
		files, small = append(files, opened(b, file)), small+len(file)
	}
	cut := cutOf(rows, names)
	var size int64
	start := cpu(b)
	b.ResetTimer()
	for b.Loop() {
		stats, err := segment.Merge(b.Context(), io.Discard, "demo", cut, files)
		if err != nil {
			b.Fatal(err)
		}
		size = stats.Size
	}
	perRow(b, start)
	b.ReportMetric(float64(small)/million, "B/row-before")
	b.ReportMetric(float64(size)/million, "B/row")
}
