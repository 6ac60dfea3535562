package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"skerry/cluster/archive"
)

const (
	beginning = 12 // magic and version
	headSize  = 29 // of a section, with its checksum
)

// parts takes a file apart: its beginning and its sections, the last of the sum.
func parts(b []byte) [][]byte {
	all := [][]byte{b[:beginning]}
	for b = b[beginning:]; len(b) > 0; {
		n := headSize + int(binary.LittleEndian.Uint64(b[17:])) + 4
		all = append(all, bytes.Clone(b[:n]))
		b = b[n:]
	}
	return all
}

// sealed puts parts together with the sum that the whole then has.
func sealed(all [][]byte) []byte {
	whole := bytes.Join(all[:len(all)-1], nil)
	sum := sha256.Sum256(whole)
	end := bytes.Clone(all[len(all)-1])
	copy(end[headSize:], sum[:])
	binary.LittleEndian.PutUint32(end[headSize+len(sum):], crc32.Checksum(sum[:], crc32.MakeTable(crc32.Castagnoli)))
	return append(whole, end...)
}

func TestSectionsThatAreMovedAreFoundByTheSumOfTheWhole(t *testing.T) {
	whole := parts(written(t))
	if _, err := read(bytes.NewReader(sealed(whole))); err != nil {
		t.Fatalf("taken apart and put together again: %v", err)
	}
	const first, second = 2, 3 // behind the beginning and the manifest
	for name, edit := range map[string]func([][]byte) [][]byte{
		"swapped":  func(p [][]byte) [][]byte { p[first], p[second] = p[second], p[first]; return p },
		"repeated": func(p [][]byte) [][]byte { return slices.Insert(p, second, p[first]) },
		"left out": func(p [][]byte) [][]byte { return slices.Delete(p, first, second) },
	} {
		t.Run(name, func(t *testing.T) {
			edited := edit(slices.Clone(whole))
			if _, err := read(bytes.NewReader(bytes.Join(edited, nil))); !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("err = %v, want ErrDamaged", err)
			}
			if _, err := read(bytes.NewReader(sealed(edited))); err != nil {
				t.Errorf("with the sum of what it is now: %v, so it was not the sum that told", err)
			}
		})
	}
}

// A section is checked by itself, so that what is read of a long file is known
// to be whole before the end is seen.
func TestASectionIsCheckedByItsOwnSum(t *testing.T) {
	whole := parts(written(t))
	for i := 1; i < len(whole)-1; i++ {
		for _, at := range []int{0, 1, 9, 17, headSize - 1, headSize, len(whole[i]) - 1} {
			edited := slices.Clone(whole)
			edited[i] = bytes.Clone(whole[i])
			edited[i][at] ^= 1
			if _, err := read(bytes.NewReader(sealed(edited))); !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("byte %d of section %d: err = %v, want ErrDamaged", at, i, err)
			}
		}
	}
}

func TestBytesAfterTheEndAreRefused(t *testing.T) {
	for name, more := range map[string][]byte{"a byte": {0}, "another end": parts(written(t))[4], "another file": written(t)} {
		if _, err := read(bytes.NewReader(append(written(t), more...))); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s after the end: %v, want ErrDamaged", name, err)
		}
	}
}
