package segment

import "encoding/binary"

// pageHeader is what a reader needs of Parquet's PageHeader.
type pageHeader struct {
	kind     int64 // 0 data, 2 dictionary
	unpacked int64 // bytes
	packed   int64 // bytes
	crc      uint32
	values   int64
	encoding int64
}

// Types of Thrift's compact protocol that may stand in a page header.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftStruct = 12
)

// parsePageHeader reads a page header from the front of b and returns the rest.
// Unlike the footer, page headers have no checksum, so this reader allocates
// nothing and never trusts a length.
func parsePageHeader(b []byte) (h pageHeader, body []byte, err error) {
	c := compact{b: b}
	c.fields(func(id int, v int64) {
		switch id {
		case 1:
			h.kind = v
		case 2:
			h.unpacked = v
		case 3:
			h.packed = v
		case 4:
			h.crc = uint32(v)
		}
	}, func(id int) bool {
		if id != 5 && id != 7 { // data or dictionary page header
			return false
		}
		c.fields(func(id int, v int64) {
			switch id {
			case 1:
				h.values = v
			case 2:
				h.encoding = v
			}
		}, func(int) bool { return false })
		return true
	})
	if c.bad {
		return h, nil, damaged("page header")
	}
	return h, c.b, nil
}

// compact is a cursor over a value of Thrift's compact protocol.
type compact struct {
	b     []byte
	depth int
	bad   bool
}

const maxDepth = 8 // of structs in structs

// fields walks a struct: number is called for each integer field; nested for
// each struct field, and reports whether it has read it itself.
func (c *compact) fields(number func(id int, v int64), nested func(id int) bool) {
	c.depth++
	if c.depth > maxDepth {
		c.bad = true
	}
	defer func() { c.depth-- }()
	id := 0
	for !c.bad {
		head := c.byte()
		if c.bad || head == 0 {
			return
		}
		if delta := int(head >> 4); delta != 0 {
			id += delta
		} else {
			id = int(c.varint())
		}
		switch head & 0x0f {
		case thriftTrue, thriftFalse:
		case thriftByte:
			c.byte()
		case thriftI16, thriftI32, thriftI64:
			number(id, c.varint())
		case thriftDouble:
			c.skip(8)
		case thriftBinary:
			c.skip(c.uvarint())
		case thriftStruct:
			if !nested(id) {
				c.fields(func(int, int64) {}, func(int) bool { return false })
			}
		default:
			c.bad = true
		}
	}
}

func (c *compact) byte() byte {
	if len(c.b) == 0 {
		c.bad = true
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *compact) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// varint reads a zigzag number.
func (c *compact) varint() int64 {
	v := c.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (c *compact) skip(n uint64) {
	if n > uint64(len(c.b)) {
		c.bad = true
		return
	}
	c.b = c.b[n:]
}
