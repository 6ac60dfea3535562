package segment_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

func erasedFile(tb testing.TB, s *segment.Segment, e fsm.Erasures) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, err := segment.Erase(context.Background(), &b, "demo", s, e); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func holds(tb testing.TB, s *segment.Segment, e fsm.Erasures) bool {
	tb.Helper()
	held, err := s.Holds(context.Background(), e)
	if err != nil {
		tb.Fatal(err)
	}
	return held
}

func TestErasedRowsAreGoneAndTheFileIsStillOfItsCut(t *testing.T) {
	rows, names := sensors(150_000, 40, 3)
	names.Series[7].Device = "the secret one" // its rows lie among the others'
	cut := cutOf(rows, names)
	var first bytes.Buffer
	if _, err := segment.Write(&first, "demo", cut, rows, names); err != nil {
		t.Fatal(err)
	}
	s := opened(t, first.Bytes())
	const upTo = 100_000
	e := fsm.Erasures{{Device: "the secret one", UpTo: [2]fsm.Seq{upTo}, Version: 1}}
	if !holds(t, s, e) || holds(t, s, fsm.Erasures{{Device: "the other", UpTo: [2]fsm.Seq{upTo}, Version: 1}}) {
		t.Fatal("Holds does not tell what is there")
	}
	file := erasedFile(t, s, e)
	gone := opened(t, file)
	if holds(t, gone, e) {
		t.Error("the erased file still holds what was erased")
	}
	if err := gone.Verify(cut); err != nil {
		t.Errorf("the erased file is not of its cut: %v", err)
	}
	got, all, err := gone.All()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range got.Len() {
		x, was := got.Reading(i, all), rows.Reading(i, names)
		if want := was.Device == "the secret one" && was.Seq <= upTo; fsm.IsErased(x.Device) != want || !want && !same([]fsm.Reading{x}, []fsm.Reading{was}) {
			t.Fatalf("row %d is %+v, was %+v", i, x, was)
		} else if want {
			n++
		}
	}
	if n == 0 || bytes.Count(file, []byte("the secret one")) > bytes.Count(first.Bytes(), []byte("the secret one")) {
		t.Errorf("%d rows were erased", n)
	}
	if rest := series(t, gone, "the secret one", names.Series[7].Resource, 0, 1<<62); len(rest) == 0 || rest[0].Seq <= upTo {
		t.Errorf("%d readings are left from seq %d on, want those after %d", len(rest), rest[0].Seq, upTo)
	}
}

func TestErasedRowsAreMergedAndTakenApart(t *testing.T) {
	rows, names := sensors(9_000, 6, 5)
	names.Series[2].Device = "gone"
	e := fsm.Erasures{{Device: "gone", UpTo: [2]fsm.Seq{9_000}, Version: 1}}
	a, b := slice(rows, 0, 4_000), slice(rows, 4_000, 9_000)
	fa, _ := written(t, a, names)
	fb, _ := written(t, b, names)
	whole := opened(t, merged(t, cutOf(rows, names), opened(t, erasedFile(t, opened(t, fa), e)), opened(t, fb)))
	if err := whole.Verify(cutOf(rows, names)); err != nil {
		t.Fatal(err)
	}
	if !holds(t, whole, e) {
		t.Error("what was not erased before the merge is not found")
	}
	again := opened(t, erasedFile(t, whole, e))
	part := opened(t, merged(t, cutOf(a, names), again))
	if err := part.Verify(cutOf(a, names)); err != nil || holds(t, part, e) {
		t.Errorf("a cut's own rows: %v, held %v", err, holds(t, part, e))
	}
}

func TestEveryFlippedBitOfAnErasedFileIsFound(t *testing.T) {
	rows, names := sensors(60, 3, 9)
	names.Series[1].Device = "gone"
	file, _ := written(t, rows, names)
	file = erasedFile(t, opened(t, file), fsm.Erasures{{Device: "gone", UpTo: [2]fsm.Seq{60}, Version: 1}})
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1 << (i % 8)
		s, err := segment.Open(bytes.NewReader(bad), int64(len(bad)))
		if err == nil {
			err = s.Verify(cutOf(rows, names))
		}
		if err == nil {
			t.Fatalf("bit %d of byte %d was flipped and not found", i%8, i)
		}
	}
}

func TestErasedFramesLeaveNoPicture(t *testing.T) {
	var frames []fsm.Frame
	var cut fsm.Cut
	pictures := [][]byte{[]byte("a picture"), []byte("another one"), []byte("the third")}
	for i, p := range pictures {
		f := fsm.Frame{
			Seq: fsm.Seq(i + 1), Device: []string{"cam-1", "cam-2", "cam-1"}[i], Resource: "motion", Time: start + int64(i), Received: start + 9,
			Width: 4, Height: 3, Size: uint32(len(p)), SHA256: sha256.Sum256(p),
		}
		cut.Digest.Add(fsm.HashFrame(&f))
		frames = append(frames, f)
	}
	cut.First, cut.Last, cut.Day = 1, 3, day
	var b bytes.Buffer
	if _, err := segment.WriteFrames(&b, "demo", cut, frames, func(i int) ([]byte, error) { return pictures[i], nil }); err != nil {
		t.Fatal(err)
	}
	e := fsm.Erasures{{Device: "cam-1", UpTo: [2]fsm.Seq{0, 2}, Version: 1}}
	s := opened(t, b.Bytes())
	if !holds(t, s, e) {
		t.Error("Holds does not find the frame")
	}
	s = opened(t, erasedFile(t, s, e))
	if err := s.Verify(cut); err != nil || holds(t, s, e) {
		t.Errorf("the erased file: %v", err)
	}
	if jpeg, err := s.JPEG(1); err != nil || len(jpeg) != 0 {
		t.Errorf("the erased picture has %d bytes (%v)", len(jpeg), err)
	}
	if jpeg, err := s.JPEG(3); err != nil || string(jpeg) != "the third" {
		t.Errorf("what came later is %q (%v)", jpeg, err)
	}
}
