package segment_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// checked opens and verifies a file of bytes.
func checked(b []byte, cut fsm.Cut) error {
	s, err := segment.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	return s.Verify(cut)
}

func mixed() []fsm.Reading {
	var list []fsm.Reading
	for i := range 40 {
		r := fsm.Reading{Device: fmt.Sprint("d", i%3), Resource: fmt.Sprint("r", i%2), Unit: []string{"", "Cel"}[i%2], Time: start + int64(i*i%7)}
		r.Value = []fsm.Value{fsm.NumberValue(float64(i%4) / 10), fsm.FlagValue(i%8 == 1), fsm.TextValue(fmt.Sprint("text ", i)), fsm.DataValue([]byte{byte(i)})}[i%4]
		list = append(list, r)
	}
	return numbered(1, list...)
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	readings := mixed()
	frames, pictures := album(12)
	tests := []struct {
		name string
		file []byte
		cut  fsm.Cut
	}{
		{"in a segment of readings", writtenReadings(t, readings), cutOfReadings(readings)},
		{"in a segment of frames", writtenFrames(t, frames, pictures), cutOfFrames(frames)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := checked(test.file, test.cut); err != nil {
				t.Fatalf("sound file: %v", err)
			}
			for at := range test.file {
				for _, mask := range []byte{1, 0x80, 0xff} {
					b := bytes.Clone(test.file)
					b[at] ^= mask
					if err := checked(b, test.cut); !isErr(err, segment.ErrDamaged) {
						t.Errorf("byte %d of %d, mask %#x: got %v, want ErrDamaged", at, len(b), mask, err)
					}
				}
			}
		})
	}
}

func TestAFlippedByteGivesNoWrongReading(t *testing.T) {
	const seed = 11
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rows, names := sensors(9000, 5, seed)
	file, _ := written(t, rows, names)
	want := all(t, opened(t, file))
	for range 2000 {
		b := bytes.Clone(file)
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		s, err := segment.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			continue
		}
		rows, names, err := s.All()
		if err != nil {
			continue
		}
		for i := range want {
			if got := rows.Reading(i, names); !same([]fsm.Reading{got}, want[i:i+1]) {
				t.Fatalf("got %+v, want %+v", got, want[i])
			}
		}
	}
}

func TestAFileCutShortIsDamaged(t *testing.T) {
	readings := mixed()
	file := writtenReadings(t, readings)
	for n := range file {
		if err := checked(file[:n], cutOfReadings(readings)); !isErr(err, segment.ErrDamaged) {
			t.Errorf("%d bytes of %d: got %v, want ErrDamaged", n, len(file), err)
		}
	}
}

// repair makes the footer's checksum fit again, if it finds one.
func repair(b []byte) bool {
	n := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	if n > len(b)-8 {
		return false
	}
	footer := b[len(b)-8-n : len(b)-8]
	at := bytes.LastIndex(footer, []byte("skerry.check"))
	if at < 0 || at+22 > n {
		return false
	}
	digits := footer[at+14:][:8]
	copy(digits, "00000000")
	copy(digits, fmt.Sprintf("%08x", crc32.Checksum(footer, crc32.MakeTable(crc32.Castagnoli))))
	return true
}

func TestANewerFormatIsRefusedWithWhatToDo(t *testing.T) {
	file := writtenReadings(t, mixed())
	at := bytes.Index(file, []byte("skerry.format")) + len("skerry.format") + 2
	file[at] = '3'
	repair(file)
	_, err := segment.Open(bytes.NewReader(file), int64(len(file)))
	if !isErr(err, segment.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

func TestAFooterWithAnyByteChangedOnPurposeIsSurvived(t *testing.T) {
	readings := mixed()
	file := writtenReadings(t, readings)
	n := int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	for at := len(file) - 8 - n; at < len(file)-8; at++ {
		for _, mask := range []byte{1, 0x10, 0x7f, 0x80} {
			b := bytes.Clone(file)
			b[at] ^= mask
			repair(b)
			use(b)
		}
	}
}

// use reads a file in every way; what matters is that it returns.
func use(b []byte) {
	s, err := segment.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	_, _, _ = s.All()
	_, _ = s.Frames()
	_, _ = s.JPEG(s.Cut().First)
	_ = s.Verify(s.Cut())
	_ = s.Series(context.Background(), "d1", "r1", -1<<63, 1<<63-1, func(fsm.Reading) bool { return true })
}

func TestAnErrorOfTheDiskIsNotDamage(t *testing.T) {
	file := writtenReadings(t, mixed())
	_, err := segment.Open(brokenDisk{}, int64(len(file)))
	if !isErr(err, io.ErrClosedPipe) || isErr(err, segment.ErrDamaged) {
		t.Errorf("got %v, want the disk's error", err)
	}
}

type brokenDisk struct{}

func (brokenDisk) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }
