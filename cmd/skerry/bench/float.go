package bench

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// float16 is a whole number 0 <= n < 2,048 as IEEE 754 binary16.
func float16(n int) uint16 {
	if n == 0 {
		return 0
	}
	exponent := bits.Len(uint(n)) - 1
	return uint16((exponent+15)<<10 | (n<<(10-exponent))&0x3ff)
}

func putFloat(b []byte, v float64) { binary.BigEndian.PutUint64(b, math.Float64bits(v)) }
