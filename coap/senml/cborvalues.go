package senml

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// cborValues walks over well-formed CBOR; b is what is left.
type cborValues struct{ b []byte }

func (in *cborValues) major() int { return int(in.b[0] >> 5) }

// head reads a head: its argument, or indefinite.
func (in *cborValues) head() (arg uint64, indefinite bool) {
	info := in.b[0] & 0x1f
	in.b = in.b[1:]
	if info < 24 {
		return uint64(info), false
	}
	if info == 31 {
		return 0, true
	}
	size := 1 << (info - 24)
	for _, c := range in.b[:size] {
		arg = arg<<8 | uint64(c)
	}
	in.b = in.b[size:]
	return arg, false
}

// open enters an array or map and returns how many elements it has, -1 when
// only a break will tell; ok is false when something else stands here.
func (in *cborValues) open(major int) (n int, ok bool) {
	if in.major() != major {
		return 0, false
	}
	arg, indefinite := in.head()
	if indefinite {
		return -1, true
	}
	return int(arg), true // well-formed: there are as many bytes
}

// next tells whether another element follows; it passes over a break.
func (in *cborValues) next(n *int) bool {
	if *n >= 0 {
		return *n > 0
	}
	if in.b[0] == breakByte {
		in.b = in.b[1:]
		return false
	}
	return true
}

// tag passes over a tag, if it stands here.
func (in *cborValues) tag(number uint64) bool {
	if len(in.b) == 0 || in.major() != majorTag {
		return false
	}
	ahead := *in
	if got, _ := ahead.head(); got != number {
		return false
	}
	*in = ahead
	return true
}

// skip passes over one value; cborLimits bounds the depth.
func (in *cborValues) skip() {
	major := in.major()
	arg, indefinite := in.head()
	n := int(arg)
	switch major {
	case majorBytes, majorText:
		if !indefinite {
			in.b = in.b[n:]
			return
		}
		n = -1
	case majorArray, majorMap:
		if indefinite {
			n = -1
		} else if major == majorMap {
			n *= 2
		}
	case majorTag:
		n = 1
	default:
		return
	}
	for ; in.next(&n); n-- {
		in.skip()
	}
}

// integer reads an integer that an int64 holds.
func (in *cborValues) integer() (int64, error) {
	major := in.major()
	if major > majorNegative {
		return 0, errNotNumber
	}
	arg, _ := in.head()
	if arg > math.MaxInt64 {
		return 0, errInteger
	}
	if major == majorNegative {
		return -1 - int64(arg), nil
	}
	return int64(arg), nil
}

func (in *cborValues) number() (float64, error) {
	switch in.major() {
	case majorUint, majorNegative:
		n, err := in.integer()
		if err != nil || n > MaxInteger || n < -MaxInteger {
			return 0, errInteger
		}
		return float64(n), nil
	case majorTag:
		return in.tagged()
	case majorSimple:
		return in.float()
	}
	return 0, errNotNumber
}

func (in *cborValues) float() (float64, error) {
	const null = 22 // a simple value; the sizes of floats follow it
	size := in.b[0] & 0x1f
	bits, _ := in.head()
	var v float64
	switch size {
	case null:
		return 0, errNull
	case 25:
		v = halfFloat(uint16(bits))
	case 26:
		v = float64(math.Float32frombits(uint32(bits)))
	case 27:
		v = math.Float64frombits(bits)
	default:
		return 0, errNotNumber
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, errNotFinite
	}
	return v, nil
}

// tagged reads a decimal fraction, the only tag that SenML lets a number have.
func (in *cborValues) tagged() (float64, error) {
	const bignums = 3 // tags 2 and 3: integers beyond 64 bits
	if !in.tag(tagDecimal) {
		if arg, _ := in.head(); arg == bignums || arg == bignums-1 {
			return 0, errInteger
		}
		return 0, errors.New("has a tag that is not known: send a plain number")
	}
	if n, ok := in.open(majorArray); !ok || n != 2 {
		return 0, errNotNumber
	}
	exponent, err := in.integer()
	if err != nil || len(in.b) == 0 {
		return 0, errNotNumber
	}
	mantissa, err := in.integer()
	if err != nil {
		return 0, err
	}
	return ParseNumber(fmt.Sprintf("%de%d", mantissa, exponent))
}

func (in *cborValues) text() (string, error) {
	b, err := in.string(majorText, "is not a string")
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", errors.New("is not UTF-8")
	}
	return string(b), nil
}

func (in *cborValues) data() ([]byte, error) {
	b, err := in.string(majorBytes, "is not a byte string")
	return append([]byte(nil), b...), err
}

// string reads a byte or text string, whole or in chunks. What it returns may
// share memory with the pack.
func (in *cborValues) string(major int, reason string) ([]byte, error) {
	if in.major() != major {
		return nil, errors.New(reason)
	}
	n, indefinite := in.head()
	if !indefinite {
		b := in.b[:n]
		in.b = in.b[n:]
		return b, nil
	}
	var whole []byte
	for left := -1; in.next(&left); {
		n, _ := in.head()
		whole = append(whole, in.b[:n]...)
		in.b = in.b[n:]
	}
	return whole, nil
}

func (in *cborValues) flag() (bool, error) {
	const no, yes = majorSimple<<5 | 20, majorSimple<<5 | 21
	if c := in.b[0]; c == no || c == yes {
		in.b = in.b[1:]
		return c == yes, nil
	}
	return false, errors.New("is not true or false")
}

// halfFloat is an IEEE 754 binary16 as RFC 8949 appendix D decodes it.
func halfFloat(h uint16) float64 {
	exponent, mantissa := int(h>>10&0x1f), float64(h&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(mantissa, -24)
	case 31:
		if v = math.Inf(1); mantissa != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(mantissa+1024, exponent-25)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}
