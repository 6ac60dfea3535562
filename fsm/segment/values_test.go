package segment_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// numbered gives readings the seqs from first on and one device, resource,
// time and received where they have none.
func numbered(first fsm.Seq, readings ...fsm.Reading) []fsm.Reading {
	for i := range readings {
		r := &readings[i]
		r.Seq = first + fsm.Seq(i)
		if r.Device == "" {
			r.Device, r.Resource = "pump-7", "temperature"
		}
		if r.Received == 0 {
			r.Received = start
		}
	}
	return readings
}

// cutOfReadings is the cut of readings in seq order.
func cutOfReadings(readings []fsm.Reading) fsm.Cut {
	cut := fsm.Cut{First: readings[0].Seq, Last: readings[len(readings)-1].Seq, Day: day}
	for i := range readings {
		cut.Digest.Add(fsm.HashReading(&readings[i]))
	}
	return cut
}

// writtenReadings is a segment's bytes.
func writtenReadings(tb testing.TB, readings []fsm.Reading) []byte {
	tb.Helper()
	var b bytes.Buffer
	if _, err := segment.WriteReadings(&b, "demo", cutOfReadings(readings), readings); err != nil {
		tb.Fatalf("WriteReadings: %v", err)
	}
	return b.Bytes()
}

// all are a segment's readings in seq order.
func all(tb testing.TB, s *segment.Segment) []fsm.Reading {
	tb.Helper()
	rows, names, err := s.All()
	if err != nil {
		tb.Fatalf("All: %v", err)
	}
	list := make([]fsm.Reading, rows.Len())
	for i := range list {
		list[i] = rows.Reading(i, names)
	}
	return list
}

// same tells whether readings are equal bit by bit: -0 is not 0.
func same(a, b []fsm.Reading) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if math.Float64bits(x.Value.Number) != math.Float64bits(y.Value.Number) || !bytes.Equal(x.Value.Data, y.Value.Data) {
			return false
		}
		x.Value.Data, y.Value.Data = nil, nil
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

func TestValuesComeBack(t *testing.T) {
	tests := []struct {
		name     string
		readings []fsm.Reading
	}{
		{"zero and minus zero stay apart", []fsm.Reading{{Value: fsm.NumberValue(0)}, {Value: fsm.NumberValue(math.Copysign(0, -1))}}},
		{"the largest and the smallest number", []fsm.Reading{
			{Value: fsm.NumberValue(math.MaxFloat64)}, {Value: fsm.NumberValue(-math.MaxFloat64)}, {Value: fsm.NumberValue(math.SmallestNonzeroFloat64)}}},
		{"both flags", []fsm.Reading{{Value: fsm.FlagValue(true)}, {Value: fsm.FlagValue(false)}, {Value: fsm.FlagValue(true)}}},
		{"an empty text and a long one", []fsm.Reading{
			{Value: fsm.TextValue("")}, {Value: fsm.TextValue("Pegelstand höher als üblich")}, {Value: fsm.TextValue(strings.Repeat("x", fsm.MaxText))}}},
		{"no bytes and the most that are taken", []fsm.Reading{
			{Value: fsm.DataValue([]byte{})}, {Value: fsm.DataValue([]byte{0, 255})}, {Value: fsm.DataValue(bytes.Repeat([]byte("0123456"), fsm.MaxData/7))}}},
		{"a text and the same bytes", []fsm.Reading{{Value: fsm.TextValue("on")}, {Value: fsm.DataValue([]byte("on"))}}},
		{"all kinds in one series", []fsm.Reading{
			{Value: fsm.NumberValue(1)}, {Value: fsm.FlagValue(true)}, {Value: fsm.TextValue("1")}, {Value: fsm.DataValue([]byte{1})}}},
		{"with, without and with another unit", []fsm.Reading{
			{Unit: "Cel", Value: fsm.NumberValue(1)}, {Value: fsm.NumberValue(1)}, {Unit: "°F", Value: fsm.NumberValue(1)}}},
		{"times before 1970 and far from now", []fsm.Reading{
			{Time: -1, Value: fsm.NumberValue(1)}, {Time: math.MinInt64, Value: fsm.NumberValue(2)}, {Time: math.MaxInt64, Value: fsm.NumberValue(3)}}},
		{"one time and value twice", []fsm.Reading{{Time: 5, Value: fsm.NumberValue(1)}, {Time: 5, Value: fsm.NumberValue(1)}}},
		{"received stepping back", []fsm.Reading{
			{Received: start + 9, Value: fsm.NumberValue(1)}, {Received: start, Value: fsm.NumberValue(1)}, {Received: start + 9, Value: fsm.NumberValue(1)}}},
		{"names at their limits", []fsm.Reading{
			{Device: strings.Repeat("d", fsm.MaxDevice), Resource: strings.Repeat("r", fsm.MaxResource), Unit: strings.Repeat("u", fsm.MaxUnit), Value: fsm.FlagValue(false)}}},
		{"a device whose name begins another's", []fsm.Reading{
			{Device: "ab", Resource: "c", Value: fsm.NumberValue(1)}, {Device: "a", Resource: "bc", Value: fsm.NumberValue(2)}, {Device: "a", Resource: "b", Value: fsm.NumberValue(3)}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := numbered(1000, test.readings...)
			s := opened(t, writtenReadings(t, want))
			if got := all(t, s); !same(got, want) {
				t.Errorf("All: got %v, want %v", got, want)
			}
			if err := s.Verify(cutOfReadings(want)); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

func TestRowsThatAreNotTheCutsAreNotWritten(t *testing.T) {
	readings := numbered(5, fsm.Reading{Value: fsm.NumberValue(1)}, fsm.Reading{Value: fsm.NumberValue(2)})
	tests := []struct {
		name   string
		change func(c *fsm.Cut)
	}{
		{"the cut begins before", func(c *fsm.Cut) { c.First-- }},
		{"the cut ends later", func(c *fsm.Cut) { c.Last++ }},
		{"the digest is of other values", func(c *fsm.Cut) { c.Digest[1]++ }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cut := cutOfReadings(readings)
			test.change(&cut)
			_, err := segment.WriteReadings(&bytes.Buffer{}, "demo", cut, readings)
			if !isErr(err, segment.ErrOtherRows) {
				t.Errorf("got %v, want ErrOtherRows", err)
			}
		})
	}
}
