package segment_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// merged is what Merge makes of files.
func merged(tb testing.TB, cut fsm.Cut, files ...*segment.Segment) []byte {
	tb.Helper()
	var b bytes.Buffer
	stats, err := segment.Merge(tb.Context(), &b, "demo", cut, files)
	if err != nil {
		tb.Fatalf("Merge: %v", err)
	}
	if got := opened(tb, b.Bytes()).Stats(); got != stats {
		tb.Errorf("got stats %+v, Merge said %+v", got, stats)
	}
	return b.Bytes()
}

func TestAMergedFileIsTheFileOfOneCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rows, names := sensors(150_000, 300, seed)
	var files []*segment.Segment
	for lo := 0; lo < rows.Len(); {
		hi := min(lo+1+random.IntN(40_000), rows.Len())
		file, _ := written(t, slice(rows, lo, hi), names)
		files = append(files, opened(t, file))
		lo = hi
	}
	random.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	want, _ := written(t, rows, names)
	got := merged(t, cutOf(rows, names), files...)
	if err := opened(t, got).Verify(cutOf(rows, names)); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d files merged have %d bytes, which are not the %d of one cut", len(files), len(got), len(want))
	}
}

func TestACutsRowsComeBackFromAMergedFile(t *testing.T) {
	rows, names := sensors(100_000, 50, 4)
	file := opened(t, merged(t, cutOf(rows, names), opened(t, first(written(t, rows, names)))))
	for _, r := range [][2]int{{0, 1}, {0, 70_000}, {30_000, 30_007}, {99_999, 100_000}} {
		part := slice(rows, r[0], r[1])
		if got := merged(t, cutOf(part, names), file); !bytes.Equal(got, first(written(t, part, names))) {
			t.Errorf("rows %d to %d come back otherwise", r[0], r[1])
		}
	}
}

// first is the file of what written returns.
func first(b []byte, _ segment.Stats) []byte { return b }

func TestAllKindsOfValuesAreMerged(t *testing.T) {
	readings := mixed()
	half := len(readings) / 2
	a, b := opened(t, writtenReadings(t, readings[:half])), opened(t, writtenReadings(t, readings[half:]))
	if got := all(t, opened(t, merged(t, cutOfReadings(readings), a, b))); !same(got, readings) {
		t.Errorf("got %+v, want %+v", got, readings)
	}
}

func TestLongTextsAreMergedGroupByGroup(t *testing.T) {
	var list []fsm.Reading
	for i := range 300 {
		list = append(list, fsm.Reading{Device: "d", Resource: "r", Received: start, Time: int64(i), Value: fsm.DataValue(bytes.Repeat([]byte{byte(i)}, 60_000))})
	}
	readings := numbered(1, list...)
	a, b := opened(t, writtenReadings(t, readings[:100])), opened(t, writtenReadings(t, readings[100:]))
	file := merged(t, cutOfReadings(readings), a, b)
	if got := len(outside(t, file).RowGroups()); got < 4 {
		t.Errorf("%d row groups for 18 MB of data, want one for each 4 MiB", got)
	}
	if got := all(t, opened(t, file)); !same(got, readings) {
		t.Error("the readings came back otherwise")
	}
}

func TestFilesThatDoNotHoldTheCutsRowsAreNotMerged(t *testing.T) {
	rows, names := sensors(1000, 10, 5)
	cut := cutOf(rows, names)
	a, b := opened(t, first(written(t, slice(rows, 0, 400), names))), opened(t, first(written(t, slice(rows, 400, 1000), names)))
	other, otherNames := sensors(1000, 10, 6)
	frames, pictures := album(3)
	tests := []struct {
		name  string
		files []*segment.Segment
		want  error
	}{
		{"one is missing", []*segment.Segment{a}, segment.ErrOtherRows},
		{"none at all", nil, segment.ErrOtherRows},
		{"one is there twice", []*segment.Segment{a, b, a}, segment.ErrDamaged},
		{"one has other values", []*segment.Segment{a, opened(t, first(written(t, slice(other, 400, 1000), otherNames)))}, segment.ErrOtherRows},
		{"one is of frames", []*segment.Segment{a, opened(t, writtenFrames(t, frames, pictures))}, segment.ErrStream},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w bytes.Buffer
			if _, err := segment.Merge(t.Context(), &w, "demo", cut, tt.files); !errors.Is(err, tt.want) {
				t.Errorf("err = %v, want %v", err, tt.want)
			}
		})
	}
}

// A flipped bit that changes what is read is found before a merged file could
// carry it on under a new checksum.
func TestAMergeOfAFileWithAFlippedByteFailsOrIsAsBefore(t *testing.T) {
	rows, names := sensors(300, 5, 8)
	cut := cutOf(rows, names)
	a, b := first(written(t, slice(rows, 0, 150), names)), first(written(t, slice(rows, 150, 300), names))
	want := merged(t, cut, opened(t, a), opened(t, b))
	for i := range a {
		rotten := slices.Clone(a)
		rotten[i] ^= 1 << (i % 8)
		s, err := segment.Open(bytes.NewReader(rotten), int64(len(rotten)))
		if err != nil {
			continue
		}
		var w bytes.Buffer
		if _, err := segment.Merge(t.Context(), &w, "demo", cut, []*segment.Segment{s, opened(t, b)}); err == nil && !bytes.Equal(w.Bytes(), want) {
			t.Fatalf("byte %d: the merged file holds something else", i)
		}
	}
}

func TestAMergeEndsWithItsContext(t *testing.T) {
	rows, names := sensors(20_000, 10, 9)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := segment.Merge(ctx, &bytes.Buffer{}, "demo", cutOf(rows, names), []*segment.Segment{opened(t, first(written(t, rows, names)))}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
}

func TestFramesAreMergedAndComeBack(t *testing.T) {
	frames, pictures := album(40)
	want := writtenFrames(t, frames, pictures)
	a, b := opened(t, writtenFrames(t, frames[:15], pictures[:15])), opened(t, writtenFrames(t, frames[15:], pictures[15:]))
	var w bytes.Buffer
	if _, err := segment.MergeFrames(t.Context(), &w, "demo", cutOfFrames(frames), []*segment.Segment{b, a}); err != nil || !bytes.Equal(w.Bytes(), want) {
		t.Fatalf("merged frames are not the file of one cut (%v)", err)
	}
	whole := opened(t, bytes.Clone(w.Bytes()))
	w.Reset()
	if _, err := segment.MergeFrames(t.Context(), &w, "demo", cutOfFrames(frames[15:]), []*segment.Segment{whole}); err != nil || !bytes.Equal(w.Bytes(), writtenFrames(t, frames[15:], pictures[15:])) {
		t.Errorf("a cut's frames come back otherwise (%v)", err)
	}
	if _, err := segment.MergeFrames(t.Context(), &w, "demo", cutOfFrames(frames), []*segment.Segment{a}); !errors.Is(err, segment.ErrOtherRows) {
		t.Errorf("half of the frames: err = %v, want ErrOtherRows", err)
	}
}
