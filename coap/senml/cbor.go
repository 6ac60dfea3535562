package senml

import "github.com/fxamacker/cbor/v2"

// The major types of CBOR (RFC 8949 section 3.1).
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

const (
	tagDecimal      = 4 // decimal fraction: [exponent, mantissa]
	tagSelfDescribe = 55799
	breakByte       = 0xff
)

// cborLimits finds bytes that are not CBOR, or nested without end, before
// anything is read. It has no part in the reading: a pack of 30 records takes
// the walker below a tenth of what filling structs takes.
var cborLimits = func() cbor.DecMode {
	mode, err := cbor.DecOptions{MaxNestedLevels: maxDepth}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

func decodeCBOR(b []byte, r *resolver) error {
	if err := cborLimits.Wellformed(b); err != nil {
		return &Error{Reason: "is not CBOR: " + err.Error()}
	}
	in := cborValues{b: b}
	in.tag(tagSelfDescribe)
	n, ok := in.open(majorArray)
	if !ok {
		return &Error{Reason: "is not a CBOR array: SenML is a list of records"}
	}
	r.expect(min(max(n, 1), MaxRecords))
	for ; in.next(&n); n-- {
		if err := r.begin(); err != nil {
			return err
		}
		if err := in.record(r); err != nil {
			return err
		}
	}
	return nil
}

func (in *cborValues) record(r *resolver) error {
	n, ok := in.open(majorMap)
	if !ok {
		return r.wrong("", "is not a CBOR map")
	}
	var f fields
	for ; in.next(&n); n-- {
		if err := in.field(r, &f); err != nil {
			return err
		}
	}
	return r.add(&f)
}

// field reads a label, a number or its JSON name, and its value.
func (in *cborValues) field(r *resolver, f *fields) error {
	var l label
	known := false
	switch in.major() {
	case majorUint, majorNegative:
		number, err := in.integer()
		if known = err == nil && number >= int64(firstLabel) && number <= int64(lastLabel); known {
			l = label(number)
		}
	case majorText:
		name, err := in.text()
		if err != nil {
			return r.wrong("", "has a label that "+err.Error())
		}
		if l, known = labelOf(name); !known {
			if err := r.unknown(name); err != nil {
				return err
			}
		}
	default:
		return r.wrong("", "has a label that is neither a number nor text")
	}
	if !known {
		in.skip()
		return nil
	}
	if err := r.read(f, l, in); err != nil {
		return r.wrong(l.String(), err.Error())
	}
	return nil
}
