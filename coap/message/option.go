package message

import (
	"encoding/binary"

	codec "github.com/plgd-dev/go-coap/v3/message"
)

// Number is the number of an option; odd ones are critical (RFC 7252 section 5.4.1).
type Number uint16

const (
	IfMatch       Number = 1
	URIHost       Number = 3
	ETag          Number = 4
	IfNoneMatch   Number = 5
	Observe       Number = 6
	URIPort       Number = 7
	LocationPath  Number = 8
	URIPath       Number = 11
	ContentFormat Number = 12
	MaxAge        Number = 14
	URIQuery      Number = 15
	Accept        Number = 17
	LocationQuery Number = 20
	Block2        Number = 23 // RFC 7959
	Block1        Number = 27
	Size2         Number = 28
	ProxyURI      Number = 35
	ProxyScheme   Number = 39
	Size1         Number = 60
	Echo          Number = 252 // RFC 9175
	NoResponse    Number = 258 // RFC 7967
	RequestTag    Number = 292 // RFC 9175
	// ServerTime is californium's: in a request it asks for the server's time,
	// in the reply it is that, Unix milliseconds in 8 bytes, big-endian.
	ServerTime Number = 65000
)

// Critical tells whether an option must be understood.
func (n Number) Critical() bool { return n&1 == 1 }

// rule is what a server takes of an option.
type rule struct {
	min, max   int // bytes of the value
	repeatable bool
}

// ruleOf returns the rule of an option that a server understands in a request.
func ruleOf(n Number) (rule, bool) {
	switch n {
	case URIPath, URIQuery:
		return rule{0, 255, true}, true
	case ContentFormat, Accept, URIPort:
		return rule{0, 2, false}, true
	case URIHost, ProxyScheme:
		return rule{1, 255, false}, true
	case ProxyURI:
		return rule{1, 1034, false}, true
	case Block1, Block2, Observe:
		return rule{0, 3, false}, true
	case IfMatch, RequestTag:
		return rule{0, 8, true}, true
	case ETag:
		return rule{1, 8, true}, true
	case IfNoneMatch:
		return rule{0, 0, false}, true
	case Size1, Size2:
		return rule{0, 4, false}, true
	case NoResponse:
		return rule{0, 1, false}, true
	case Echo:
		return rule{1, 40, false}, true
	case ServerTime:
		return rule{0, 8, false}, true
	}
	return rule{}, false
}

// unknownCritical returns the first critical option of a request that the
// server does not understand: an unknown number, a length out of bounds, or
// one time too many (RFC 7252 sections 5.4.1, 5.4.3 and 5.4.5).
func unknownCritical(options codec.Options) (Number, bool) {
	previous := Number(0)
	for i := range options {
		n := Number(options[i].ID)
		repeated := i > 0 && n == previous
		previous = n
		if !n.Critical() {
			continue
		}
		r, known := ruleOf(n)
		size := len(options[i].Value)
		if !known || size < r.min || size > r.max || repeated && !r.repeatable {
			return n, true
		}
	}
	return 0, false
}

// uintValue reads an option value as an unsigned number, empty for 0 (RFC 7252
// section 3.2). ok is false beyond four bytes.
func uintValue(b []byte) (v uint32, ok bool) {
	if len(b) > 4 {
		return 0, false
	}
	for _, c := range b {
		v = v<<8 | uint32(c)
	}
	return v, true
}

// appendUint writes v in the fewest bytes.
func appendUint(b []byte, v uint32) []byte {
	var whole [4]byte
	binary.BigEndian.PutUint32(whole[:], v)
	i := 0
	for i < 4 && whole[i] == 0 {
		i++
	}
	return append(b, whole[i:]...)
}
