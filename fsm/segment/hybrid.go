package segment

import (
	"encoding/binary"
	"math/bits"
)

// decodeHybrid fills dst from runs of equal and of bit-packed values, Parquet's
// RLE encoding. The last bit-packed run may be longer than dst.
func decodeHybrid(dst []int32, width uint, src []byte) error {
	if width == 0 || width > 24 {
		return damaged("values of %d bits", width)
	}
	for len(dst) > 0 {
		head, n := binary.Uvarint(src)
		if n <= 0 {
			return damaged("page ends %d values early", len(dst))
		}
		src = src[n:]
		count := head >> 1
		if head&1 == 0 {
			size := int(width+7) / 8
			if count == 0 || count > uint64(len(dst)) || size > len(src) {
				return damaged("run of %d values where %d are missing", count, len(dst))
			}
			var value int32
			for i := range size {
				value |= int32(src[i]) << (8 * i)
			}
			if bits.Len32(uint32(value)) > int(width) {
				return damaged("value %d of %d bits", value, width)
			}
			for i := range dst[:count] {
				dst[i] = value
			}
			dst, src = dst[count:], src[size:]
			continue
		}
		if count == 0 || count > uint64(len(src))/uint64(width) {
			return damaged("packed run of %d bytes in %d", count*uint64(width), len(src))
		}
		size := int(count) * int(width)
		n = min(8*int(count), len(dst))
		unpack(dst[:n], width, src[:size])
		dst, src = dst[n:], src[size:]
	}
	if len(src) != 0 {
		return damaged("page has %d bytes too many", len(src))
	}
	return nil
}

// unpack reads values of width bits, at most 24, the first in the lowest bits.
func unpack(dst []int32, width uint, src []byte) {
	mask := uint64(1)<<width - 1
	var word uint64
	var have uint
	at := 0
	for i := range dst {
		for have < width {
			word |= uint64(src[at]) << have
			at++
			have += 8
		}
		dst[i] = int32(word & mask)
		word >>= width
		have -= width
	}
}
