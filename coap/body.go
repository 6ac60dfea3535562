package coap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"skerry/coap/message"
	"skerry/coap/senml"
	"skerry/fsm"
)

// Content formats (RFC 7252 section 12.3, RFC 8428 section 12.4, RFC 8790
// section 6).
const (
	formatText       = 0
	formatJPEG       = 22
	formatOctets     = 42
	formatJSON       = 50
	formatCBOR       = 60
	formatSenMLJSON  = 110
	formatSensMLJSON = 111
	formatSenMLCBOR  = 112
	formatSensMLCBOR = 113
	formatEtchJSON   = 320
	formatEtchCBOR   = 322
)

// Bounds of a body with one value.
const (
	maxSingle      = 64 << 10 // bytes of JSON or CBOR: more than any text takes
	singleDepth    = 4        // nesting of CBOR
	longestNumeral = 400      // bytes; a longer run of digits is text
)

// The keys of an object with one value.
const (
	keyValue = "value"
	keyUnit  = "unit"
	keyTime  = "time"
)

// single reads the body of one reading: value, and unit and time where the
// body has them. What it keeps does not share memory with body.
func single(format uint32, body []byte) (rec fsm.Record, err error) {
	rec.Relative = true // now, unless the body says otherwise
	if len(body) == 0 {
		return rec, refuse(message.BadRequest, "the payload is empty: send a value")
	}
	switch format {
	case formatText:
		if len(body) > fsm.MaxText {
			return rec, tooLarge(fsm.MaxText, "the text is too large: send bytes as application/octet-stream (42)")
		}
		rec.Value, err = plainValue(body)
	case formatOctets:
		if len(body) > fsm.MaxData {
			return rec, tooLarge(fsm.MaxData, "data is too large: send it in parts")
		}
		rec.Value = fsm.DataValue(bytes.Clone(body))
	case formatJSON, formatCBOR:
		if len(body) > maxSingle {
			return rec, tooLarge(maxSingle, "a body with one value is too large: send bytes as application/octet-stream (42)")
		}
		var fields singleFields
		if format == formatJSON {
			fields, err = singleJSON(body)
		} else {
			fields, err = singleCBOR(body)
		}
		if err == nil {
			err = fields.fill(&rec)
		}
	case formatSenMLJSON, formatSensMLJSON, formatSenMLCBOR, formatSensMLCBOR:
		return rec, refuse(message.UnsupportedFormat, "a SenML pack goes to /r or /r/{device}")
	default:
		return rec, refuse(message.UnsupportedFormat, "content format %d is not taken here: send text (0), image/jpeg (22), bytes (42), JSON (50) or CBOR (60)", format)
	}
	return rec, err
}

// plainValue reads text/plain: a decimal number, true, false, or else text. A
// numeral that no double holds is refused rather than kept as text, so that a
// series of numbers stays one. White space around a number does not count.
func plainValue(body []byte) (fsm.Value, error) {
	if !utf8.Valid(body) {
		return fsm.Value{}, refuse(message.BadRequest, "text is not UTF-8: send bytes as application/octet-stream (42)")
	}
	s := string(body)
	word := strings.TrimSpace(s)
	switch {
	case word == "true" || word == "false":
		return fsm.FlagValue(word == "true"), nil
	case isNumeral(word):
		v, err := senml.ParseNumber(word)
		if err != nil {
			return fsm.Value{}, refuse(message.BadRequest, "value %s: %s", word, err)
		}
		return fsm.NumberValue(v), nil
	}
	return fsm.TextValue(s), nil
}

// isNumeral tells whether s is a decimal number, whatever its size: an
// optional sign, digits with at most one point, an optional exponent.
func isNumeral(s string) bool {
	if s == "" || len(s) > longestNumeral {
		return false
	}
	mantissa, exponent, scaled := strings.Cut(strings.ToLower(s), "e")
	if scaled && !isDigits(unsigned(exponent)) {
		return false
	}
	whole, fraction, _ := strings.Cut(unsigned(mantissa), ".")
	return isDigits(whole + fraction)
}

// unsigned is s without a sign at its begin.
func unsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// singleFields are a body's value, unit and time as their format decodes them.
type singleFields map[string]any

// fill turns decoded fields into a record.
func (f singleFields) fill(rec *fsm.Record) error {
	value, ok := f[keyValue]
	if !ok {
		return refuse(message.BadRequest, `the body has no value: send {"value": ...}, or the value alone`)
	}
	var err error
	if rec.Value, err = valueOf(value); err != nil {
		return refuse(message.BadRequest, "value: %s", err)
	}
	if unit, ok := f[keyUnit]; ok {
		if rec.Unit, ok = unit.(string); !ok {
			return refuse(message.BadRequest, "unit: is not a string")
		}
	}
	if at, ok := f[keyTime]; ok {
		if rec.Time, rec.Relative, err = timeOf(at); err != nil {
			return refuse(message.BadRequest, "time: %s", err)
		}
	}
	return nil
}

func valueOf(v any) (fsm.Value, error) {
	switch v := v.(type) {
	case bool:
		return fsm.FlagValue(v), nil
	case string:
		return fsm.TextValue(v), nil
	case []byte:
		return fsm.DataValue(v), nil
	}
	n, err := numberOf(v)
	return fsm.NumberValue(n), err
}

func numberOf(v any) (float64, error) {
	switch v := v.(type) {
	case json.Number:
		return senml.ParseNumber(string(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, errors.New("is not a finite number")
		}
		return v, nil
	case int64, uint64, big.Int:
		return senml.ParseNumber(fmt.Sprint(v))
	}
	return 0, errors.New("is none of number, true, false, string and bytes")
}

// timeOf reads RFC 3339 or seconds; seconds below 2^28 count from now, as in
// SenML.
func timeOf(v any) (micros int64, relative bool, err error) {
	switch v := v.(type) {
	case time.Time:
		return v.UnixMicro(), false, nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return 0, false, errors.New("is neither RFC 3339 (2026-01-31T08:00:00Z) nor a number of seconds")
		}
		return t.UnixMicro(), false, nil
	}
	seconds, err := numberOf(v)
	if err != nil {
		return 0, false, errors.New("is neither RFC 3339 nor a number of seconds")
	}
	return senml.ParseTime(seconds)
}
