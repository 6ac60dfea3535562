package segment_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// album makes n frames of three cameras and their bytes, which are no JPEGs:
// nothing here looks into them.
func album(n int) (frames []fsm.Frame, pictures [][]byte) {
	random := rand.New(rand.NewPCG(7, 7))
	for i := range n {
		b := make([]byte, 1+random.IntN(300))
		for j := range b {
			b[j] = byte(random.Uint32())
		}
		frames = append(frames, fsm.Frame{
			Seq: fsm.Seq(100 + i), Device: fmt.Sprint("camera-", i%3), Resource: "motion", Time: start - int64(i)*1000, Received: start + int64(i),
			Width: uint32(640 + i), Height: 480, Size: uint32(len(b)), SHA256: sha256.Sum256(b),
		})
		pictures = append(pictures, b)
	}
	return frames, pictures
}

func cutOfFrames(frames []fsm.Frame) fsm.Cut {
	cut := fsm.Cut{First: frames[0].Seq, Last: frames[len(frames)-1].Seq, Day: day}
	for i := range frames {
		cut.Digest.Add(fsm.HashFrame(&frames[i]))
	}
	return cut
}

func writtenFrames(tb testing.TB, frames []fsm.Frame, pictures [][]byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	stats, err := segment.WriteFrames(&b, "demo", cutOfFrames(frames), frames, func(i int) ([]byte, error) { return pictures[i], nil })
	if err != nil {
		tb.Fatalf("WriteFrames: %v", err)
	}
	if got := opened(tb, b.Bytes()).Stats(); got != stats {
		tb.Fatalf("got stats %+v, WriteFrames said %+v", got, stats)
	}
	return b.Bytes()
}

func TestFramesComeBack(t *testing.T) {
	frames, pictures := album(5000) // more than a row group
	s := opened(t, writtenFrames(t, frames, pictures))
	got, err := s.Frames()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, frames) {
		t.Errorf("got %d frames that differ from the %d written", len(got), len(frames))
	}
	for _, i := range []int{0, 1, 2500, 4999} {
		if got, err := s.JPEG(frames[i].Seq); err != nil || !bytes.Equal(got, pictures[i]) {
			t.Errorf("frame %d: got %d bytes and %v, want the %d written", frames[i].Seq, len(got), err, len(pictures[i]))
		}
	}
	if err := s.Verify(cutOfFrames(frames)); err != nil {
		t.Errorf("Verify: %v", err)
	}
	for _, seq := range []fsm.Seq{0, 99, 5100, math.MaxUint64} {
		if _, err := s.JPEG(seq); !errors.Is(err, segment.ErrNoFrame) {
			t.Errorf("frame %d: got %v, want ErrNoFrame", seq, err)
		}
	}
}

func TestTheListOfFramesIsReadWithoutPictures(t *testing.T) {
	frames, pictures := album(3)
	for i := range frames {
		pictures[i] = bytes.Repeat([]byte{byte(i)}, fsm.MaxFrame)
		frames[i].Size, frames[i].SHA256 = fsm.MaxFrame, sha256.Sum256(pictures[i])
	}
	b := writtenFrames(t, frames, pictures)
	c := &counter{ReaderAt: bytes.NewReader(b)}
	s, err := segment.Open(c, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Frames(); err != nil {
		t.Fatal(err)
	}
	if c.bytes > 8<<10 {
		t.Errorf("read %d of %d bytes, want less than 8 KiB", c.bytes, len(b))
	}
}

func TestPicturesThatAreNotTheFramesAreNotWritten(t *testing.T) {
	frames, pictures := album(3)
	noDisk := errors.New("no disk")
	tests := []struct {
		name string
		jpeg func(i int) ([]byte, error)
		want error
	}{
		{"a byte differs", func(i int) ([]byte, error) { b := bytes.Clone(pictures[i]); b[0]++; return b, nil }, segment.ErrOtherRows},
		{"a byte is missing", func(i int) ([]byte, error) { return pictures[i][1:], nil }, segment.ErrOtherRows},
		{"they cannot be read", func(int) ([]byte, error) { return nil, noDisk }, noDisk},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := segment.WriteFrames(&bytes.Buffer{}, "demo", cutOfFrames(frames), frames, test.jpeg)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if _, err := segment.WriteFrames(&bytes.Buffer{}, "demo", cutOfFrames(frames), frames[:2], tests[0].jpeg); !errors.Is(err, segment.ErrOtherRows) {
		t.Errorf("a frame too few: got %v, want ErrOtherRows", err)
	}
}

func TestAStreamIsNotTakenForTheOther(t *testing.T) {
	frames, pictures := album(3)
	f, r := opened(t, writtenFrames(t, frames, pictures)), opened(t, writtenReadings(t, mixed()))
	_, _, allErr := f.All()
	_, framesErr := r.Frames()
	_, jpegErr := r.JPEG(1)
	for name, err := range map[string]error{"All": allErr, "Frames": framesErr, "JPEG": jpegErr} {
		if !errors.Is(err, segment.ErrStream) {
			t.Errorf("%s: got %v, want ErrStream", name, err)
		}
	}
}
