package fsm

import (
	"encoding/binary"
	"slices"
)

// cursor reads packed bytes. After the first thing that is not there bad is
// set and every read returns zero, so that callers look once at the end.
type cursor struct {
	b   []byte
	at  int
	bad bool
}

func (c *cursor) uvarint() uint64 {
	if c.at < len(c.b) && c.b[c.at] < 0x80 && !c.bad {
		c.at++
		return uint64(c.b[c.at-1])
	}
	if c.bad {
		return 0
	}
	u, n := binary.Uvarint(c.b[c.at:])
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.at += n
	return u
}

func (c *cursor) varint() int64 {
	u := c.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count is a uvarint that must not be above limit.
func (c *cursor) count(limit int) int {
	u := c.uvarint()
	if limit < 0 || u > uint64(limit) {
		c.bad = true
		return 0
	}
	return int(u)
}

func (c *cursor) bytes(n int) []byte {
	if c.bad || n > len(c.b)-c.at {
		c.bad = true
		return nil
	}
	c.at += n
	return c.b[c.at-n : c.at : c.at]
}

func (c *cursor) byte() byte {
	if c.bad || c.at >= len(c.b) {
		c.bad = true
		return 0
	}
	c.at++
	return c.b[c.at-1]
}

func (c *cursor) uint64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// payload skips a uvarint length and its bytes and returns offset<<32 | length.
func (c *cursor) payload(limit int) uint64 {
	n := c.count(limit)
	at := c.at
	c.bytes(n)
	return uint64(at)<<32 | uint64(n)
}

// indexes appends n uvarints, none above limit.
func (c *cursor) indexes(to []uint32, n, limit int) []uint32 {
	to = slices.Grow(to, n)
	for range n {
		to = append(to, uint32(c.count(limit)))
		if c.bad {
			break
		}
	}
	return to
}
