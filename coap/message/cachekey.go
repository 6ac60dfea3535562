package message

import "encoding/binary"

// AppendCacheKey appends what makes two requests ask for the same (RFC 7252
// section 5.4.2): the method and the options, without those that say of
// themselves that they do not count and without those that are about one
// message of several: blocks, Observe, ETag and No-Response. The Request-Tag
// counts, as it is there to tell transfers apart (RFC 9175 section 3.3). Each
// option has its length before it.
func (m *Message) AppendCacheKey(b []byte) []byte {
	b = append(b, byte(m.Code))
	for i := range m.options {
		n, value := Number(m.options[i].ID), m.options[i].Value
		if !n.inCacheKey() {
			continue
		}
		b = binary.BigEndian.AppendUint16(b, uint16(n))
		b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	return b
}

// noCacheKey are the bits of a number that say NoCacheKey (RFC 7252 section 5.4.6).
const (
	noCacheKeyMask = 0x1e
	noCacheKey     = 0x1c
)

func (n Number) inCacheKey() bool {
	switch n {
	case ETag, Observe, Block1, Block2, NoResponse, ServerTime:
		return false
	}
	return n&noCacheKeyMask != noCacheKey
}
