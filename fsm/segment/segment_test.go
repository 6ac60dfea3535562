package segment_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"skerry/fsm"
	"skerry/fsm/segment"
)

func TestAShiftOfSensorsComesBack(t *testing.T) {
	rows, names := sensors(200_000, 300, 3)
	b, stats := written(t, rows, names)
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
		if got, want := got.Reading(i, gotNames), rows.Reading(i, names); !same([]fsm.Reading{got}, []fsm.Reading{want}) {
			t.Fatalf("row %d: got %+v, want %+v", i, got, want)
		}
	}
	if got, want := len(got.Stamps), len(rows.Stamps); got != want {
		t.Errorf("got %d stamps, want %d", got, want)
	}
}

func TestStatsAndMetaSayWhatTheFileHolds(t *testing.T) {
	readings := numbered(7,
		fsm.Reading{Device: "b", Resource: "x", Time: -5, Received: start + 3, Value: fsm.NumberValue(1)},
		fsm.Reading{Device: "a", Resource: "z", Time: 9, Received: start + 4, Value: fsm.FlagValue(true)},
		fsm.Reading{Device: "a", Resource: "y", Time: 2, Received: start + 4, Value: fsm.TextValue("on")},
	)
	b := writtenReadings(t, readings)
	s := opened(t, b)
	want := segment.Stats{
		Size: int64(len(b)), Rows: 3,
		Seq: segment.Range{Min: 7, Max: 9}, Time: segment.Range{Min: -5, Max: 9}, Received: segment.Range{Min: start + 3, Max: start + 4},
		Device: segment.NameRange{Min: "a", Max: "b"}, Resource: segment.NameRange{Min: "x", Max: "z"},
	}
	if got := s.Stats(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := s.Meta(), (segment.Meta{Site: "demo", Stream: fsm.Readings, Cut: cutOfReadings(readings)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	other := s.Cut()
	other.Last++
	if err := s.Verify(other); !isErr(err, segment.ErrOtherRows) {
		t.Errorf("Verify with another cut: got %v, want ErrOtherRows", err)
	}
}

// drawReading is any reading that fsm lets in.
func drawReading(t *rapid.T) fsm.Reading {
	r := fsm.Reading{
		Device:   rapid.SampledFrom([]string{"a", "ab", "pump-7", "ä"}).Draw(t, "device"),
		Resource: rapid.SampledFrom([]string{"b", "temperature"}).Draw(t, "resource"),
		Unit:     rapid.SampledFrom([]string{"", "Cel", "m"}).Draw(t, "unit"),
		Time:     rapid.OneOf(rapid.Int64Range(-5, 5), rapid.Int64()).Draw(t, "time"),
		Received: start + rapid.Int64Range(0, 3).Draw(t, "received"),
	}
	switch rapid.IntRange(1, 4).Draw(t, "kind") {
	case 1:
		v := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.IntRange(-9, 9), func(i int) float64 { return float64(i) / 10 })).
			Filter(func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }).Draw(t, "number")
		r.Value = fsm.NumberValue(v)
	case 2:
		r.Value = fsm.FlagValue(rapid.Bool().Draw(t, "flag"))
	case 3:
		r.Value = fsm.TextValue(rapid.StringN(0, 20, -1).Draw(t, "text"))
	default:
		r.Value = fsm.DataValue(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data"))
	}
	return r
}

func TestAnyReadingsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := fsm.Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "first"))
		want := numbered(first, rapid.SliceOfN(rapid.Custom(drawReading), 1, 300).Draw(t, "readings")...)
		var b bytes.Buffer
		if _, err := segment.WriteReadings(&b, "demo", cutOfReadings(want), want); err != nil {
			t.Fatal(err)
		}
		s, err := segment.Open(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		rows, names, err := s.All()
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got := rows.Reading(i, names); !same([]fsm.Reading{got}, want[i:i+1]) {
				t.Fatalf("got %+v, want %+v", got, want[i])
			}
		}
		if err := s.Verify(cutOfReadings(want)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAFullDiskIsAnError(t *testing.T) {
	rows, names := sensors(5000, 3, 6)
	whole, _ := written(t, rows, names)
	for room := 0; room < len(whole); room += 997 {
		_, err := segment.Write(&fullDisk{room: room}, "demo", cutOf(rows, names), rows, names)
		if !isErr(err, errFull) {
			t.Fatalf("with room for %d bytes: got %v, want the disk's error", room, err)
		}
	}
}

var errFull = fmt.Errorf("no space left on device")

// fullDisk takes so many bytes.
type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		return d.room, errFull
	}
	d.room -= len(b)
	return len(b), nil
}

// testdata holds files of format 1 as they were first written: whatever this
// package learns, it reads them.
func TestFilesOfFormatOneAreReadForEver(t *testing.T) {
	file := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	readings := mixed()
	s := opened(t, file("readings-1.parquet"))
	if err := s.Verify(cutOfReadings(readings)); err != nil {
		t.Errorf("readings: %v", err)
	}
	if got := all(t, s); !same(got, readings) {
		t.Errorf("got %v, want %v", got, readings)
	}
	frames, pictures := album(12)
	s = opened(t, file("frames-1.parquet"))
	if err := s.Verify(cutOfFrames(frames)); err != nil {
		t.Errorf("frames: %v", err)
	}
	if got, err := s.Frames(); err != nil || !slices.Equal(got, frames) {
		t.Errorf("got %v and %v, want %v", got, err, frames)
	}
	if got, err := s.JPEG(frames[7].Seq); err != nil || !bytes.Equal(got, pictures[7]) {
		t.Errorf("got a picture of %d bytes and %v, want %d", len(got), err, len(pictures[7]))
	}
}
