package block

import "errors"

const (
	// MaxSZX is the size exponent of the largest blocks: 1,024 bytes.
	MaxSZX = 6
	// MaxSize is the size of the largest blocks, in bytes.
	MaxSize = 1 << (MaxSZX + 4)
	// maxValue is the length of the longest value of a block option, in bytes.
	maxValue = 3
)

var (
	// ErrOption: the value of a block option that is too long or of a reserved size.
	ErrOption = errors.New("the block option has more than 3 bytes, or the reserved size exponent 7")
	// ErrRange: a block that begins behind the end of the body.
	ErrRange = errors.New("the block is behind the end of the body")
)

// Option is the value of a Block1 or Block2 option (RFC 7959 section 2.2).
// The zero value is the first and last block of 16 bytes.
type Option struct {
	Num  uint32 // of the block, from 0; below 2^20
	More bool   // further blocks follow
	SZX  uint8  // size exponent, 0 to MaxSZX
}

// Parse reads the value of an option; its error is ErrOption.
func Parse(value []byte) (Option, error) {
	if len(value) > maxValue {
		return Option{}, ErrOption
	}
	v := uint32(0)
	for _, b := range value {
		v = v<<8 | uint32(b)
	}
	o := Option{Num: v >> 4, More: v&8 != 0, SZX: uint8(v & 7)}
	if o.SZX > MaxSZX {
		return Option{}, ErrOption
	}
	return o, nil
}

// Uint is the option's value as a number, which CoAP writes in the fewest bytes.
func (o Option) Uint() uint32 {
	v := o.Num<<4 | uint32(o.SZX)
	if o.More {
		v |= 8
	}
	return v
}

// Size is how many bytes each block has but the last.
func (o Option) Size() int { return 16 << o.SZX }

// Offset is where in the body the block begins, in bytes; below 2^30.
func (o Option) Offset() int { return int(o.Num) * o.Size() }

// Slice cuts the block that o names out of a body, with the option to send
// beside it. The block shares memory with the body. o.More does not count. The
// error is ErrRange.
func Slice(body []byte, o Option) (part []byte, sent Option, err error) {
	offset := o.Offset()
	if offset >= len(body) && o.Num > 0 {
		return nil, Option{}, ErrRange
	}
	end := min(offset+o.Size(), len(body))
	o.More = end < len(body)
	return body[offset:end:end], o, nil
}
