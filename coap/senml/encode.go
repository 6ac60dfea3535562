package senml

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"github.com/fxamacker/cbor/v2"

	"skerry/fsm"
)

// cborShort writes floats in the shortest form that keeps their value.
var cborShort = func() cbor.EncMode {
	mode, err := cbor.EncOptions{ShortestFloat: cbor.ShortestFloat16}.EncMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

// Encode writes readings of any devices as a pack of at most limit bytes. It
// returns the pack and the number of readings that went into it, which may be
// 0; those left out are the last ones. A base name, the device and a '/', stands
// where the device changes and holds until the next, so that Split gives back
// the names. Times are absolute.
func Encode(format Format, readings []fsm.Reading, limit int) (pack []byte, n int) {
	const frame = 5 // the array: a CBOR head, or brackets
	var body []byte
	for i := range readings {
		whole, base := len(body), ""
		if i == 0 || readings[i].Device != readings[i-1].Device {
			base = readings[i].Device + "/"
		}
		if format == CBOR {
			body = appendCBORRecord(body, base, &readings[i])
		} else {
			if i > 0 {
				body = append(body, ',')
			}
			body = appendJSONRecord(body, base, &readings[i])
		}
		if len(body)+frame > limit {
			body = body[:whole]
			break
		}
		n++
	}
	if format == CBOR {
		return append(cborArrayHead(n), body...), n
	}
	return append(append([]byte{'['}, body...), ']'), n
}

func cborArrayHead(n int) []byte {
	const head = majorArray << 5
	switch {
	case n < 24:
		return []byte{head | byte(n)}
	case n < 1<<8:
		return []byte{head | 24, byte(n)}
	case n < 1<<16:
		return []byte{head | 25, byte(n >> 8), byte(n)}
	}
	return binary.BigEndian.AppendUint32([]byte{head | 26}, uint32(n))
}

// cborRecord is a record as RFC 8428 section 6 numbers its labels.
type cborRecord struct {
	BaseName string   `cbor:"-2,keyasint,omitempty"`
	Name     string   `cbor:"0,keyasint"`
	Unit     string   `cbor:"1,keyasint,omitempty"`
	Time     any      `cbor:"6,keyasint"`
	Number   *float64 `cbor:"2,keyasint,omitempty"`
	Text     *string  `cbor:"3,keyasint,omitempty"`
	Flag     *bool    `cbor:"4,keyasint,omitempty"`
	Data     *[]byte  `cbor:"8,keyasint,omitempty"`
}

func appendCBORRecord(b []byte, base string, r *fsm.Reading) []byte {
	rec := cborRecord{BaseName: base, Name: r.Resource, Unit: r.Unit}
	if rec.Time = float64(r.Time) / 1e6; r.Time%1e6 == 0 {
		rec.Time = r.Time / 1e6
	}
	switch r.Value.Kind {
	case fsm.Number:
		rec.Number = &r.Value.Number
	case fsm.Text:
		rec.Text = &r.Value.Text
	case fsm.Flag:
		rec.Flag = &r.Value.Flag
	case fsm.Data:
		rec.Data = &r.Value.Data
	}
	encoded, err := cborShort.Marshal(&rec)
	if err != nil {
		panic(err) // strings, numbers and bytes always have an encoding
	}
	return append(b, encoded...)
}

func appendJSONRecord(b []byte, base string, r *fsm.Reading) []byte {
	b = append(b, '{')
	if base != "" {
		b = append(appendJSONString(append(b, `"bn":`...), base), ',')
	}
	b = appendJSONString(append(b, `"n":`...), r.Resource)
	if r.Unit != "" {
		b = appendJSONString(append(b, `,"u":`...), r.Unit)
	}
	b = appendDecimal(append(b, `,"t":`...), r.Time)
	switch r.Value.Kind {
	case fsm.Number:
		b = append(append(b, `,"v":`...), fsm.FormatNumber(r.Value.Number)...)
	case fsm.Text:
		b = appendJSONString(append(b, `,"vs":`...), r.Value.Text)
	case fsm.Flag:
		b = strconv.AppendBool(append(b, `,"vb":`...), r.Value.Flag)
	case fsm.Data:
		b = append(b, `,"vd":"`...)
		b = base64.RawURLEncoding.AppendEncode(b, r.Value.Data)
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendJSONString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // every string has an encoding
	}
	return append(b, quoted...)
}

// appendDecimal writes microseconds as seconds, without an exponent and
// without trailing zeros.
func appendDecimal(b []byte, micros int64) []byte {
	if micros < 0 {
		b = append(b, '-')
		micros = -micros
	}
	b = strconv.AppendInt(b, micros/1e6, 10)
	if frac := micros % 1e6; frac != 0 {
		digits := strconv.AppendInt(nil, 1e6+frac, 10)[1:]
		for digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
		b = append(append(b, '.'), digits...)
	}
	return b
}
