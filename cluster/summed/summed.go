// Package summed writes JSON for people to read, with a sum in it that finds what
// has rotted and puts one flipped bit right.
//
// The sum is the last field of the object, or of the last object of an array:
// CRC32C, in hexadecimal, of all bytes before the comma that goes before it. Whoever does not know
// of it takes it for a field that is of no use to him, and a file without it is
// read as it is: so programs from before it can share a directory with later
// ones.
package summed

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	// MaxMended bounds what one flipped bit is looked for in, in bytes: each bit
	// is tried.
	MaxMended = 4 << 10

	digits = 8 // of a sum
	// alike is how many bytes of what stands around a sum may be other ones: more
	// of them, and it is a file without a sum.
	alike = 4
)

var (
	// ErrDamaged: the file is not what was written.
	ErrDamaged = errors.New("it does not have the sum that it was written with")

	errShape   = errors.New("only an object, or an array that ends with one, has a place for a sum")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// shape is what stands around a sum.
type shape struct{ before, after, plain string }

var shapes = []shape{
	{",\n  \"crc32c\": \"", "\"\n}\n", "\n}\n"},
	{",\n    \"crc32c\": \"", "\"\n  }\n]\n", "\n  }\n]\n"},
}

func (s shape) size() int { return len(s.before) + digits + len(s.after) }

// end is what follows a body.
func (s shape) end(body []byte) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, castagnoli))
	return s.before + hex.EncodeToString(sum) + s.after
}

// Encode returns a struct, or a slice of some of them, as JSON with a sum.
func Encode(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	for _, s := range shapes {
		if body, ok := bytes.CutSuffix(b, []byte(s.plain)); ok {
			return append(body, s.end(body)...), nil
		}
	}
	return nil, errShape
}

// Decode reads what Encode made, or the same without a sum, into v. One flipped
// bit of a file of at most MaxMended bytes is put right: then mended is true and
// the file is to be written again. The error is ErrDamaged, and v is then what
// can be read of the file all the same.
func Decode(b []byte, v any) (mended bool, err error) {
	plain, ok := check(b)
	if !ok && hasSum(b) {
		if plain, mended = mend(b); !mended {
			_ = json.Unmarshal(b, v) // as much as that gives
			return false, ErrDamaged
		}
		ok = true
	}
	if !ok {
		plain = b
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return false, fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return mended, nil
}

// check returns a file without its sum; ok is false where it has not the right
// one.
func check(b []byte) (plain []byte, ok bool) {
	for _, s := range shapes {
		n := len(b) - s.size()
		if n >= 0 && string(b[n:n+len(s.before)]) == s.before && string(b[n:]) == s.end(b[:n]) {
			return append(b[:n:n], s.plain...), true
		}
	}
	return nil, false
}

// hasSum tells that a file was written with a sum, whatever became of it.
func hasSum(b []byte) bool {
	for _, s := range shapes {
		n := len(b) - s.size()
		if n < 0 {
			continue
		}
		other := 0
		for i, want := range []byte(s.before) {
			if b[n+i] != want {
				other++
			}
		}
		for i, want := range []byte(s.after) {
			if b[len(b)-len(s.after)+i] != want {
				other++
			}
		}
		if other <= alike {
			return true
		}
	}
	return false
}

// mend finds the one bit that was flipped. That is no guess: two files that have
// their sums differ in four bits or more.
func mend(b []byte) (plain []byte, ok bool) {
	if len(b) > MaxMended {
		return nil, false
	}
	b = bytes.Clone(b)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if plain, ok := check(b); ok {
				return plain, true
			}
			b[i] ^= 1 << bit
		}
	}
	return nil, false
}
