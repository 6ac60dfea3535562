package senml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"skerry/coap/senml"
	"skerry/fsm"
)

// selected writes selectors one a line.
func selected(list []senml.Selector) string {
	var b strings.Builder
	for _, s := range list {
		at := "any time"
		if s.Timed {
			at = fmt.Sprintf("%gs", float64(s.Time)/1e6)
		}
		fmt.Fprintf(&b, "%s | %s | %s | %s\n", s.Device, s.Resource, s.Unit, at)
	}
	return b.String()
}

func TestDecodeFetch_takes(t *testing.T) {
	for _, c := range []struct{ name, pack, want string }{
		{"the example of RFC 8790 section 3.1", `[{"bn":"2001:db8::2/3311/0/","n":"5850"},{"n":"5851"}]`,
			"2001:db8::2/3311/0 | 5850 |  | any time\n2001:db8::2/3311/0 | 5851 |  | any time\n"},
		{"a time and a unit", `[{"n":"a/b","u":"Cel","t":1700000000.123456}]`, "a | b | Cel | 1.700000000123456e+09s\n"},
		{"a base time and a base unit", `[{"bn":"a/","bt":1700000000,"bu":"V","n":"b"},{"n":"c","t":5,"u":"A"}]`,
			"a | b | V | 1.7e+09s\na | c | A | 1.700000005e+09s\n"},
		{"a base name alone", `[{"bn":"a/b"}]`, "a | b |  | any time\n"},
		{"a version and an update time", `[{"bver":10,"n":"a/b","ut":3}]`, "a | b |  | any time\n"},
		{"labels that are not known", `[{"n":"a/b","x":{"v":[null]}}]`, "a | b |  | any time\n"},
		{"the same name twice", `[{"n":"a/b"},{"n":"a/b"}]`, "a | b |  | any time\na | b |  | any time\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBoth(t, c.pack, func(t *testing.T, format senml.Format, pack []byte) {
				got, err := senml.DecodeFetch(format, pack, senml.Split)
				if err != nil || selected(got) != c.want {
					t.Errorf("got\n%swant\n%s(%v)", selected(got), c.want, err)
				}
			})
		})
	}
}

func TestDecodeFetch_refuses(t *testing.T) {
	for _, c := range []struct{ name, pack, want string }{
		{"a number", `[{"n":"a/b"},{"n":"a/c","v":1}]`, "record 2, v: is a value, which a Fetch Pack does not have"},
		{"a string", `[{"n":"a/b","vs":"x"}]`, "record 1, vs: is a value"},
		{"a bool", `[{"n":"a/b","vb":true}]`, "record 1, vb: is a value"},
		{"data", `[{"n":"a/b","vd":""}]`, "record 1, vd: is a value"},
		{"null", `[{"n":"a/b","v":null}]`, "record 1, v: is a value"},
		{"a sum", `[{"n":"a/b","s":1}]`, "record 1, s: is a value"},
		{"a base value", `[{"n":"a/b","bv":1}]`, "record 1, bv: is a value"},
		{"a base sum", `[{"n":"a/b","bs":1}]`, "record 1, bs: is a value"},
		{"a record without a name of its own", `[{"bn":"a/","n":"b"},{"t":1700000000}]`, "record 2, n: is missing"},
		{"a record of empty names", `[{"bn":"","n":""}]`, "record 1, n: is missing"},
		{"a time ago", `[{"n":"a/b","t":-5}]`, "record 1, t: is relative to now"},
		{"now", `[{"n":"a/b","t":0}]`, "record 1, t: is relative to now"},
		{"a time beyond all", `[{"n":"a/b","t":1700000000000}]`, "record 1, t: time 1.7e+12 is after the year 9999"},
		{"a label that must be understood", `[{"n":"a/b","x_":1}]`, "record 1, x_: is not known"},
		{"version 11", `[{"bver":11,"n":"a/b"}]`, "record 1, bver: version 11"},
		{"no record", `[]`, "pack selects nothing"},
		{"a device that is too long", `[{"n":"` + strings.Repeat("x", 129) + `/b"}]`, "record 1: device name has 129 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBoth(t, c.pack, func(t *testing.T, format senml.Format, pack []byte) {
				got, err := senml.DecodeFetch(format, pack, senml.Split)
				refused(t, selected(got), err, c.want)
			})
		})
	}
}

// changed writes changes one a line.
func changed(list []senml.Change) string {
	var b strings.Builder
	for _, c := range list {
		line := lines([]fsm.Record{c.Record})
		if c.Remove {
			line = line[:strings.LastIndex(line, "|")] + "| removed\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestDecodePatch_takes(t *testing.T) {
	for _, c := range []struct{ name, pack, want string }{
		{"the example of RFC 8790 section 3.2", `[{"bn":"2001:db8::2/3311/0/","n":"5850","vb":false},{"n":"5851","v":10},{"n":"5852","v":null}]`,
			"2001:db8::2/3311/0 | 5850 |  | now | false\n2001:db8::2/3311/0 | 5851 |  | now | 10\n2001:db8::2/3311/0 | 5852 |  | now | removed\n"},
		{"a removal at a time", `[{"n":"a/b","u":"Cel","t":1700000000,"v":null}]`, "a | b | Cel | 1700000000 | removed\n"},
		{"a removal beside a base value", `[{"n":"a/b","bv":7,"v":null},{"n":"a/b","v":1}]`, "a | b |  | now | removed\na | b |  | now | 8\n"},
		{"a time ago", `[{"n":"a/b","t":-5,"vs":"x"}]`, "a | b |  | now-5 | \"x\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBoth(t, c.pack, func(t *testing.T, format senml.Format, pack []byte) {
				got, err := senml.DecodePatch(format, pack, senml.Split)
				if err != nil || changed(got) != c.want {
					t.Errorf("got\n%swant\n%s(%v)", changed(got), c.want, err)
				}
			})
		})
	}
}

func TestDecodePatch_refuses(t *testing.T) {
	for _, c := range []struct{ name, pack, want string }{
		{"base fields alone", `[{"bn":"a/"},{"n":"b","v":1}]`, "record 1: has no value: each Patch Record has one of"},
		{"a name alone", `[{"n":"a/b"}]`, "record 1: has no value"},
		{"a sum alone", `[{"n":"a/b","s":1}]`, "record 1, s: a sum without a value"},
		{"a removal with a value", `[{"n":"a/b","v":null,"vb":true}]`, "record 1: has more than one value"},
		{"null as a string", `[{"n":"a/b","vs":null}]`, "record 1, vs: is not a string"},
		{"null as a bool", `[{"n":"a/b","vb":null}]`, "record 1, vb: is not true or false"},
		{"null as a time", `[{"n":"a/b","t":null,"v":1}]`, "record 1, t: is not a number"},
		{"null as a base value", `[{"n":"a/b","bv":null,"v":1}]`, "record 1, bv: is not a number"},
		{"a record without a name", `[{"v":null}]`, "record 1, n: is missing"},
		{"no record", `[]`, "pack changes nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBoth(t, c.pack, func(t *testing.T, format senml.Format, pack []byte) {
				got, err := senml.DecodePatch(format, pack, senml.Split)
				refused(t, changed(got), err, c.want)
			})
		})
	}
}

func TestDecode_takes_null_in_a_patch_pack_alone(t *testing.T) {
	inBoth(t, `[{"n":"a/b","v":null}]`, func(t *testing.T, format senml.Format, pack []byte) {
		records, err := senml.Decode(format, pack, senml.Split)
		refused(t, lines(records), err, "record 1, v: is not a number: null stands for a removal")
	})
}

func TestEtch_bounds_a_pack(t *testing.T) {
	many := "[" + strings.Repeat(`{"n":"a","v":1},`, senml.MaxRecords) + `{"n":"a","v":1}]`
	if _, err := senml.DecodePatch(senml.JSON, []byte(many), senml.Split); !errors.Is(err, senml.ErrTooLarge) {
		t.Errorf("%d changes: %v", senml.MaxRecords+1, err)
	}
	many = strings.ReplaceAll(many, `,"v":1`, "")
	if _, err := senml.DecodeFetch(senml.JSON, []byte(many), senml.Split); !errors.Is(err, senml.ErrTooLarge) {
		t.Errorf("%d selectors: %v", senml.MaxRecords+1, err)
	}
	large := make([]byte, senml.MaxPack+1)
	if _, err := senml.DecodeFetch(senml.CBOR, large, senml.Split); !errors.Is(err, senml.ErrTooLarge) {
		t.Errorf("%d bytes: %v", len(large), err)
	}
}

func TestEtch_refuses_a_label_twice(t *testing.T) {
	for format, pack := range map[senml.Format][]byte{
		senml.JSON: []byte(`[{"n":"a/b","v":null,"v":null}]`),
		senml.CBOR: unhex(t, "81 a3 00 63 612f62 02 f6 02 f6"),
	} {
		got, err := senml.DecodePatch(format, pack, senml.Split)
		refused(t, changed(got), err, "record 1, v: stands twice")
	}
}

// inBoth runs a test with a pack in JSON and in CBOR.
func inBoth(t *testing.T, pack string, run func(*testing.T, senml.Format, []byte)) {
	t.Helper()
	t.Run("JSON", func(t *testing.T) { run(t, senml.JSON, []byte(pack)) })
	t.Run("CBOR", func(t *testing.T) { run(t, senml.CBOR, toCBOR(t, []byte(pack))) })
}

// refused checks that an error is for people, and says what is wanted.
func refused(t *testing.T, got string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("taken as\n%s", got)
	}
	if !errors.As(err, new(*senml.Error)) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want %q", err, want)
	}
}
