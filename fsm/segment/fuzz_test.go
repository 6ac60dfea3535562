package segment_test

import (
	"bytes"
	"testing"

	"skerry/fsm/segment"
)

// FuzzPage gives pages and their headers to the decoders behind the checksums.
func FuzzPage(f *testing.F) {
	f.Add(uint8(0), uint16(2), uint16(0), []byte("0123456789abcdef"))
	f.Add(uint8(3), uint16(9), uint16(3), []byte{2, 0, 0, 0, 18, 1, 8, 18, 2})
	f.Add(uint8(7), uint16(8), uint16(0), []byte{2, 0, 0, 0, 16, 1, 0xa5})
	f.Add(uint8(8), uint16(1), uint16(0), []byte{2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 'o', 'n'})
	f.Fuzz(func(t *testing.T, column uint8, rows, dictionary uint16, body []byte) {
		c := int(column) % 10
		for _, err := range []error{
			segment.DecodePage(c, int(rows)+1, int(dictionary), body),
			segment.DecodeDictionary(c, int(rows)+1, body),
		} {
			if err != nil && !isErr(err, segment.ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
		}
		if rest, err := segment.ParsePageHeader(body); err == nil && len(rest) >= len(body) {
			t.Errorf("a header of no bytes before %d", len(rest))
		}
	})
}

// FuzzSegment writes over a part of a file whose footer's checksum fits again.
func FuzzSegment(f *testing.F) {
	frames, pictures := album(3)
	readingFile, frameFile := writtenReadings(f, mixed()), writtenFrames(f, frames, pictures)
	f.Add(false, uint16(0), []byte("PAR1"))
	f.Add(true, uint16(90), []byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, ofFrames bool, at uint16, patch []byte) {
		file := readingFile
		if ofFrames {
			file = frameFile
		}
		b := bytes.Clone(file)
		copy(b[int(at)%len(b):], patch)
		if repair(b) {
			use(b)
		}
	})
}
