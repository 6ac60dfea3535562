package segment

import (
	"encoding/binary"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// unmarshal decodes a Thrift value after a walk through it: the decoder
// believes lengths of lists and strings and makes room for them at once.
func unmarshal(b []byte, v any) error {
	c := compact{b: b}
	c.value(compactStruct)
	if c.bad || len(c.b) != 0 {
		return damaged("%T of %d bytes", v, len(b))
	}
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), b, v); err != nil {
		return damaged("%T: %v", v, err)
	}
	return nil
}

// compact is a cursor over a value of Thrift's compact protocol. It allocates
// nothing and never trusts a length. Once bad is set nothing more is read.
type compact struct {
	b     []byte
	depth int
	bad   bool
}

// Types of the compact protocol.
const (
	compactTrue   = 1
	compactFalse  = 2
	compactByte   = 3
	compactI16    = 4
	compactI32    = 5
	compactI64    = 6
	compactDouble = 7
	compactBinary = 8
	compactList   = 9
	compactSet    = 10
	compactStruct = 12
)

const maxDepth = 16 // of structs and lists in each other

// fields walks a struct: number is called for each integer field; nested for
// each struct field, and reports whether it has read it itself.
func (c *compact) fields(number func(id int, v int64), nested func(id int) bool) {
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
		switch kind := head & 0x0f; kind {
		case compactTrue, compactFalse: // the value is the type
		case compactI16, compactI32, compactI64:
			number(id, c.varint())
		case compactStruct:
			if !nested(id) {
				c.value(kind)
			}
		default:
			c.value(kind)
		}
	}
}

// value walks over one value; as elements of a list, bools take a byte.
func (c *compact) value(kind byte) {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		c.bad = true
	}
	if c.bad {
		return
	}
	switch kind {
	case compactTrue, compactFalse, compactByte:
		c.byte()
	case compactI16, compactI32, compactI64:
		c.varint()
	case compactDouble:
		c.skip(8)
	case compactBinary:
		c.skip(c.uvarint())
	case compactStruct:
		c.fields(func(int, int64) {}, func(int) bool { return false })
	case compactList, compactSet:
		head := c.byte()
		n := uint64(head >> 4)
		if n == 15 {
			n = c.uvarint()
		}
		if n > uint64(len(c.b)) { // every element takes a byte at least
			c.bad = true
		}
		for ; n > 0 && !c.bad; n-- {
			c.value(head & 0x0f)
		}
	default:
		c.bad = true
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
