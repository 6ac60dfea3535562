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

// Bounds of times, in microseconds: the years 1 to 9999 of UTC, which every
// reader of the bucket knows, and 2^28 seconds either way from "now" (RFC 8428
// section 4.5.3).
const (
	MinTime     = -62135596800 * 1_000_000
	MaxTime     = 253402300799 * 1_000_000
	MaxRelative = (1 << 28) * 1_000_000

	maxWaited  = MaxTime // of Batch.Waited; keeps sums of times inside an int64
	maxLogTime = 1 << 60 // likewise for log times
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
	if !validTime(r.Time, r.Relative) {
		return fmt.Errorf("time is out of range: years 1 to 9999, or %d seconds around now", 1<<28)
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
	if flaw, _ := nameFlaw(name); flaw != "" {
		return fmt.Errorf("%s name %q %s", what, name, flaw)
	}
	return nil
}

// nameFlaw says what is wrong with the characters of a name, "" for nothing,
// and whether it holds a '/'.
func nameFlaw[T string | []byte](name T) (flaw string, slash bool) {
	ascii := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c < 0x20 || c == 0x7f {
			return "has a control character", slash
		}
		slash = slash || c == '/'
		ascii = ascii && c < 0x80
	}
	if ascii {
		return "", slash
	}
	s := string(name)
	if !utf8.ValidString(s) {
		return "is not UTF-8", slash
	}
	for _, r := range s {
		if r >= 0x80 && r < 0xa0 {
			return "has a control character", slash
		}
	}
	return "", slash
}

// validTime tells whether a record's time is in bounds.
func validTime(t int64, relative bool) bool {
	if relative {
		return -MaxRelative <= t && t <= MaxRelative
	}
	return MinTime <= t && t <= MaxTime
}
