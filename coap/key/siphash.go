package key

import (
	"encoding/binary"
	"math/bits"
)

// sip is the state of SipHash-2-4 with 128 bits of output (Aumasson and
// Bernstein: SipHash, a fast short-input PRF, 2012; the long output is that of
// the authors' reference code).
type sip struct{ v0, v1, v2, v3 uint64 }

func (s *sip) round() {
	s.v0 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 13) ^ s.v0
	s.v0 = bits.RotateLeft64(s.v0, 32)
	s.v2 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 16) ^ s.v2
	s.v0 += s.v3
	s.v3 = bits.RotateLeft64(s.v3, 21) ^ s.v0
	s.v2 += s.v1
	s.v1 = bits.RotateLeft64(s.v1, 17) ^ s.v2
	s.v2 = bits.RotateLeft64(s.v2, 32)
}

func (s *sip) word(m uint64) {
	s.v3 ^= m
	s.round()
	s.round()
	s.v0 ^= m
}

func (s *sip) finish() uint64 {
	for range 4 {
		s.round()
	}
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

// Sum128 is the SipHash-2-4-128 of p under secret.
func Sum128(secret *[16]byte, p []byte) (sum [16]byte) {
	k0 := binary.LittleEndian.Uint64(secret[:])
	k1 := binary.LittleEndian.Uint64(secret[8:])
	s := sip{
		k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573,
	}
	last := uint64(len(p)) << 56
	for ; len(p) >= 8; p = p[8:] {
		s.word(binary.LittleEndian.Uint64(p))
	}
	for i, c := range p {
		last |= uint64(c) << (8 * i)
	}
	s.word(last)
	s.v2 ^= 0xee
	binary.LittleEndian.PutUint64(sum[:], s.finish())
	s.v1 ^= 0xdd
	binary.LittleEndian.PutUint64(sum[8:], s.finish())
	return sum
}
