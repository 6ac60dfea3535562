package block

import "errors"

const (
	// MaxSZX is the size exponent of the largest blocks: 1,024 bytes.
	MaxSZX = 6
	// MaxSize is the size of the largest blocks, in bytes.
	MaxSize = 1 << (MaxSZX + 4)
	// MaxBERT is how much of a body Slice gives at once over a stream, in bytes: a
	// multiple of MaxSize.
	MaxBERT = 60 << 10
	// bert is the size exponent of a message with several blocks of 1,024 bytes.
	bert = 7
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
	// BERT says that the message holds several blocks of 1,024 bytes, the first of
	// which is Num (RFC 8323 section 6). SZX is MaxSZX then.
	BERT bool
}

// Parse reads the value of an option; its error is ErrOption.
func Parse(value []byte) (Option, error) {
	o, err := ParseBERT(value)
	if o.BERT {
		return Option{}, ErrOption
	}
	return o, err
}

// ParseBERT reads the value of an option that came over a stream, where it may
// stand for several blocks; its error is ErrOption.
func ParseBERT(value []byte) (Option, error) {
	if len(value) > maxValue {
		return Option{}, ErrOption
	}
	v := uint32(0)
	for _, b := range value {
		v = v<<8 | uint32(b)
	}
	o := Option{Num: v >> 4, More: v&8 != 0, SZX: uint8(v & 7)}
	if o.SZX == bert {
		o.SZX, o.BERT = MaxSZX, true
	}
	return o, nil
}

// Uint is the option's value as a number, which CoAP writes in the fewest bytes.
func (o Option) Uint() uint32 {
	v := o.Num<<4 | uint32(o.SZX)
	if o.BERT {
		v = o.Num<<4 | bert
	}
	if o.More {
		v |= 8
	}
	return v
}

// Size is how many bytes each block has but the last.
func (o Option) Size() int { return 16 << o.SZX }

// Offset is where in the body the block begins, in bytes; below 2^30.
func (o Option) Offset() int { return int(o.Num) * o.Size() }

// fits tells whether n bytes are what the option says.
func (o Option) fits(n int) bool {
	switch {
	case o.SZX > MaxSZX:
		return false
	case o.BERT && o.More:
		return n > 0 && n%MaxSize == 0
	case o.BERT:
		return true
	case o.More:
		return n == o.Size()
	}
	return n <= o.Size()
}

// Slice cuts the block that o names out of a body, or as many as MaxBERT holds,
// with the option to send beside it. The block shares memory with the body. o.More does not count. The
// error is ErrRange.
func Slice(body []byte, o Option) (part []byte, sent Option, err error) {
	offset := o.Offset()
	if offset >= len(body) && o.Num > 0 {
		return nil, Option{}, ErrRange
	}
	size := o.Size()
	if o.BERT {
		size = MaxBERT
	}
	end := min(offset+size, len(body))
	o.More = end < len(body)
	return body[offset:end:end], o, nil
}
