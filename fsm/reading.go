package fsm

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Limits of names and values, in bytes.
const (
	MaxDevice   = 128
	MaxResource = 64
	MaxUnit     = 32
	MaxText     = 4 << 10
	MaxData     = 224 << 10
	MaxFrame    = 1 << 20
)

// Seq is a reading's position in the site's history: 1, 2, 3, ... without
// holes. Frames and gaps are counted by sequences of their own.
type Seq uint64

// LogTime is the site's monotonic clock in microseconds. It is advanced by the
// leader, never steps back and alone drives deduplication, leases and ages.
type LogTime int64

// Kind tells which field of a Value is meant. The numbers are on disk and
// append-only.
type Kind uint8

const (
	Number Kind = 1 + iota
	Flag
	Text
	Data
)

// Value is what was measured: a number, a bool, a text or bytes.
type Value struct {
	Kind   Kind
	Number float64 // finite
	Flag   bool
	Text   string // UTF-8, at most MaxText bytes
	Data   []byte // at most MaxData bytes; shared, not to be changed
}

// NumberValue, FlagValue, TextValue and DataValue make a Value of their kind.
func NumberValue(v float64) Value { return Value{Kind: Number, Number: v} }
func FlagValue(v bool) Value      { return Value{Kind: Flag, Flag: v} }
func TextValue(v string) Value    { return Value{Kind: Text, Text: v} }
func DataValue(v []byte) Value    { return Value{Kind: Data, Data: v} }

// String is the value as people read it; bytes are given by their number.
func (v Value) String() string {
	switch v.Kind {
	case Number:
		return FormatNumber(v.Number)
	case Flag:
		if v.Flag {
			return "true"
		}
		return "false"
	case Text:
		return v.Text
	}
	return fmt.Sprintf("%d bytes", len(v.Data))
}

// Reading is one value of one resource of one device at one time, as the site
// keeps it.
type Reading struct {
	Seq      Seq
	Device   string
	Resource string
	Unit     string // "" when the device named none
	Time     int64  // the device's time, microseconds since 1970 UTC
	Received int64  // the leader's wall clock when it entered the log, microseconds since 1970 UTC
	Value    Value
}

// Record is a reading as it was sent, before the site has given it a seq.
type Record struct {
	Device   string
	Resource string
	Unit     string
	// Time is in microseconds: since 1970 UTC, or relative to the moment the
	// message came in when Relative is set (0 is "now", -5e6 five seconds ago).
	Time     int64
	Relative bool
	Value    Value
}

// Validate tells what is wrong with a record, in words for its sender.
func (r *Record) Validate() error {
	if err := ValidateName("device", r.Device, MaxDevice); err != nil {
		return err
	}
	if err := ValidateName("resource", r.Resource, MaxResource); err != nil {
		return err
	}
	if strings.IndexByte(r.Resource, '/') >= 0 {
		return fmt.Errorf("resource %q has a '/': what stands before it belongs to the device", r.Resource)
	}
	if r.Unit != "" {
		if err := ValidateName("unit", r.Unit, MaxUnit); err != nil {
			return err
		}
	}
	return r.Value.validate()
}

func (v *Value) validate() error {
	switch v.Kind {
	case Number:
		if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) {
			return fmt.Errorf("value is not a finite number")
		}
	case Flag:
	case Text:
		if len(v.Text) > MaxText {
			return fmt.Errorf("text has %d bytes, at most %d are taken", len(v.Text), MaxText)
		}
		if !utf8.ValidString(v.Text) {
			return fmt.Errorf("text is not UTF-8")
		}
	case Data:
		if len(v.Data) > MaxData {
			return fmt.Errorf("data has %d bytes, at most %d are taken", len(v.Data), MaxData)
		}
	default:
		return fmt.Errorf("record has no value")
	}
	return nil
}

// ValidateName checks the name of a device, resource or unit: 1 to limit bytes
// of UTF-8 without control characters. what names it in the error.
func ValidateName(what, name string, limit int) error {
	if name == "" {
		return fmt.Errorf("%s name is empty", what)
	}
	if len(name) > limit {
		return fmt.Errorf("%s name has %d bytes, at most %d are taken", what, len(name), limit)
	}
	ascii := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < 0x20 || c == 0x7f {
			return fmt.Errorf("%s name %q has a control character", what, name)
		}
		ascii = ascii && c < 0x80
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("%s name is not UTF-8", what)
	}
	for _, r := range name {
		if r >= 0x80 && r < 0xa0 {
			return fmt.Errorf("%s name %q has a control character", what, name)
		}
	}
	return nil
}
