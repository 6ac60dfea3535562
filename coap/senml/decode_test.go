package senml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"skerry/coap/senml"
)

func TestDecode_refuses(t *testing.T) {
	for _, c := range []struct {
		name string
		pack string
		want string // in the error: where it is, and what to do
	}{
		{"a label twice in one record", `[{"n":"a","v":1},{"n":"b","v":1,"v":2}]`, "record 2, v: stands twice"},
		{"a base label twice in one record", `[{"bn":"a","bn":"b","v":1}]`, "record 1, bn: stands twice"},
		{"a record without a value", `[{"n":"a","v":1},{"n":"b"}]`, "record 2: has no value: send one of"},
		{"a name beside base fields, without a value", `[{"bn":"a","n":"b"}]`, "record 1: has no value"},
		{"an empty record", `[{}]`, "record 1: has no value"},
		{"a record with two values", `[{"n":"a","v":1,"vb":true}]`, "record 1: has more than one value"},
		{"a sum without a value", `[{"n":"a","s":1}]`, "record 1, s: a sum without a value is not kept"},
		{"a base sum and a sum without a value", `[{"bn":"a/","bs":1},{"n":"b","s":1}]`, "record 2, s: a sum"},
		{"version 11", `[{"bver":11,"n":"a","v":1}]`, "record 1, bver: version 11 is not known: versions 1 to 10"},
		{"version 0", `[{"bver":0,"n":"a","v":1}]`, "record 1, bver: version 0"},
		{"a version that is no integer", `[{"bver":9.5,"n":"a","v":1}]`, "record 1, bver: version 9.5"},
		{"two versions", `[{"bver":5,"n":"a","v":1},{"bver":6,"n":"a","v":1}]`, "record 2, bver: differs"},
		{"an unknown label that must be understood", `[{"n":"a","v":1,"foo_":1}]`, `record 1, foo_: is not known, and the "_"`},
		{"NaN", `[{"n":"a","v":NaN}]`, "pack is not JSON"},
		{"a number that no double holds", `[{"n":"a","v":1e400}]`, "record 1, v: is not a finite number"},
		{"a sum with the base value that no double holds", `[{"n":"a","bv":1e308,"v":1e308}]`, "record 1, v: with bv added is not a finite number"},
		{"an integer beyond 2^53", `[{"n":"a","v":9007199254740993}]`, "record 1, v: integer is beyond 2^53"},
		{"an integer beyond 64 bits", `[{"n":"a","v":-123456789012345678901234567890}]`, "record 1, v: integer is beyond 2^53"},
		{"a time in nanoseconds", `[{"n":"a","t":1700000000000000000,"v":1}]`, "record 1, t: integer is beyond 2^53"},
		{"a time in milliseconds", `[{"n":"a","t":1700000000000,"v":1}]`, "record 1, t: time 1.7e+12 is after the year 9999"},
		{"a time longer ago than relative times reach", `[{"n":"a","t":-268435457,"v":1}]`, "record 1, t: time"},
		{"a string for a number", `[{"n":"a","v":"1"}]`, "record 1, v: is not a number"},
		{"a number for a string", `[{"n":7,"v":1}]`, "record 1, n: is not a string"},
		{"null", `[{"n":"a","v":null}]`, "record 1, v: is not a number"},
		{"a number for a bool", `[{"n":"a","vb":1}]`, "record 1, vb: is not true or false"},
		{"data that is not base64url", `[{"n":"a","vd":"+/"}]`, "record 1, vd: is not base64url"},
		{"an array for a value", `[{"n":"a","v":[1]}]`, "record 1, v: is not a number"},
		{"a record that is no object", `[1]`, "record 1: is not a JSON object"},
		{"a pack that is no array", `{"n":"a","v":1}`, "pack is not a JSON array"},
		{"a pack without records", `[]`, "pack has no reading"},
		{"a pack of base fields", `[{"bn":"a"}]`, "pack has no reading"},
		{"something after the pack", `[{"n":"a","v":1}] 1`, "pack has something after its end"},
		{"a pack cut short", `[{"n":"a","v":1}`, "pack ends too early"},
		{"a record cut short", `[{"n":"a","v":`, "pack ends too early"},
		{"no bytes", ``, "pack ends too early"},
		{"bytes that are no UTF-8", "[{\"n\":\"\xff\",\"v\":1}]", "pack is not UTF-8"},
		{"a record without any name", `[{"v":1}]`, "record 1, n: is missing"},
		{"a name that is too long", `[{"n":"` + strings.Repeat("x", 129) + `","v":1}]`, "record 1: device name has 129 bytes, at most 128"},
		{"a resource that is too long", `[{"n":"a/` + strings.Repeat("x", 65) + `","v":1}]`, "record 1: resource name has 65 bytes, at most 64"},
		{"a unit that is too long", `[{"n":"a","u":"` + strings.Repeat("x", 33) + `","v":1}]`, "record 1: unit name has 33 bytes, at most 32"},
		{"a text that is too long", `[{"n":"a","vs":"` + strings.Repeat("x", 4097) + `"}]`, "record 1: text has 4097 bytes, at most 4096"},
		{"a control character in a name", `[{"n":"a\n","v":1}]`, "control character"},
		{"a name that ends in a slash", `[{"n":"a/","v":1}]`, "resource name is empty"},
		{"an unknown label nested without end", `[{"n":"a","v":1,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}]`, "record 1, x: is nested too deeply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, err := senml.Decode(senml.JSON, []byte(c.pack), senml.Split)
			if err == nil {
				t.Fatalf("taken as\n%s", lines(records))
			}
			if !errors.As(err, new(*senml.Error)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q", err, c.want)
			}
		})
	}
}

func TestDecode_takes(t *testing.T) {
	for _, c := range []struct {
		name string
		pack string
		want string
	}{
		{"base value and base sum", `[{"bn":"a/","bv":20,"bs":7,"n":"b","v":1.5},{"n":"c","v":1,"s":3}]`, "a | b |  | now | 21.5\na | c |  | now | 21\n"},
		{"times ago", `[{"n":"a","t":-5,"v":1},{"n":"a","bt":-10,"t":-0.5,"v":1}]`, "a | value |  | now-5 | 1\na | value |  | now-10.5 | 1\n"},
		{"a time to come, below 2^28", `[{"n":"a","t":268435455,"v":1}]`, "a | value |  | now+2.68435455e+08 | 1\n"},
		{"2^28 as a time in 1978", `[{"n":"a","t":268435456,"v":1}]`, "a | value |  | 268435456 | 1\n"},
		{"microseconds", `[{"n":"a","t":1700000000.123456,"v":1}]`, "a | value |  | 1700000000.123456 | 1\n"},
		{"2^53", `[{"n":"a","v":9007199254740992}]`, "a | value |  | now | 9.007199254740992e+15\n"},
		{"a large number that is no integer", `[{"n":"a","v":1e300}]`, "a | value |  | now | 1e+300\n"},
		{"labels that are not known", `[{"n":"a","x":{"v":[1,{"y":null}]},"v":1}]`, "a | value |  | now | 1\n"},
		{"an update time", `[{"n":"a","ut":60,"v":1}]`, "a | value |  | now | 1\n"},
		{"padding of base64url", `[{"n":"a","vd":"aGkgCg=="}]`, "a | value |  | now | x6869200a\n"},
		{"version 10", `[{"bver":10,"n":"a","v":1}]`, "a | value |  | now | 1\n"},
		{"an own unit before the base unit", `[{"n":"a","bu":"A","u":"V","v":1},{"n":"a","v":1}]`, "a | value | V | now | 1\na | value | A | now | 1\n"},
		{"an empty text", `[{"n":"a","vs":""}]`, "a | value |  | now | \"\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for format, pack := range map[senml.Format][]byte{senml.JSON: []byte(c.pack), senml.CBOR: nil} {
				if format == senml.CBOR {
					if strings.Contains(c.pack, "=") {
						continue // base64url is JSON's alone
					}
					pack = toCBOR(t, []byte(c.pack))
				}
				records, err := senml.Decode(format, pack, senml.Split)
				if err != nil {
					t.Fatal(err)
				}
				if got := lines(records); got != c.want {
					t.Errorf("format %d: got\n%swant\n%s", format, got, c.want)
				}
			}
		})
	}
}

func TestDecode_bounds_a_pack(t *testing.T) {
	pack := func(n int) []byte {
		return []byte("[" + strings.Repeat(`{"n":"a","v":1},`, n-1) + `{"n":"a","v":1}]`)
	}
	records, err := senml.Decode(senml.JSON, pack(senml.MaxRecords), senml.Split)
	if err != nil || len(records) != senml.MaxRecords {
		t.Errorf("%d records: %v", len(records), err)
	}
	for _, format := range []senml.Format{senml.JSON, senml.CBOR} {
		over := pack(senml.MaxRecords + 1)
		if format == senml.CBOR {
			over = toCBOR(t, over)
		}
		if _, err := senml.Decode(format, over, senml.Split); !errors.Is(err, senml.ErrTooLarge) {
			t.Errorf("%d records in format %d: %v", senml.MaxRecords+1, format, err)
		}
	}
	if _, err := senml.Decode(senml.JSON, make([]byte, senml.MaxPack+1), senml.Split); !errors.Is(err, senml.ErrTooLarge) {
		t.Errorf("%d bytes: %v", senml.MaxPack+1, err)
	}
	millions := append([]byte{0x9a, 0x00, 0x0f, 0x42, 0x40}, make([]byte, 1000)...) // says 1,000,000 records
	if _, err := senml.Decode(senml.CBOR, millions, senml.Split); err == nil {
		t.Error("a pack that says it has a million records is taken")
	}
}

func TestDecode_reads_CBOR_as_encoders_write_it(t *testing.T) {
	const want = "a | value |  | now | 21.5\n"
	for _, c := range []struct{ name, pack, want string }{
		{"definite lengths", "81 a2 00 61 61 02 f9 4d60", want},
		{"indefinite lengths", "9f bf 00 61 61 02 fb 4035800000000000 ff ff", want},
		{"a name in chunks", "81 a2 00 7f 61 61 60 ff 02 fa 41ac0000", want},
		{"text labels", "81 a2 61 6e 61 61 61 76 f9 4d60", want},
		{"a decimal fraction", "81 a2 00 61 61 02 c4 82 20 18d7", want},
		{"the self-describing tag", "d9d9f7 81 a2 00 61 61 02 f9 4d60", want},
		{"labels in another order", "81 a2 02 f9 4d60 00 61 61", want},
		{"unknown labels of all kinds", "81 a7 00 61 61 18 63 9f 01 02 ff 19 03e8 bf 01 f6 ff 38 63 5f 41 00 ff 61 78 c1 01 3903e7 f6 02 f9 4d60", want},
		{"half floats below one", "81 a2 00 61 61 02 f9 0001", "a | value |  | now | 5.960464477539063e-08\n"},
		{"negative half floats", "81 a2 00 61 61 02 f9 c400", "a | value |  | now | -4\n"},
		{"-2^53", "81 a2 00 61 61 02 3b 001fffffffffffff", "a | value |  | now | -9.007199254740992e+15\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, err := senml.Decode(senml.CBOR, unhex(t, c.pack), senml.Split)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(records); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestDecode_refuses_CBOR(t *testing.T) {
	for _, c := range []struct{ name, pack, want string }{
		{"a label twice", "81 a3 00 61 61 02 01 02 02", "record 1, v: stands twice"},
		{"a label as a number and as text", "81 a3 00 61 61 02 01 61 76 02", "record 1, v: stands twice"},
		{"a label that must be understood", "81 a3 00 61 61 02 01 63 78795f 01", "record 1, xy_: is not known"},
		{"NaN", "81 a2 00 61 61 02 f9 7e00", "record 1, v: is not a finite number"},
		{"infinity", "81 a2 00 61 61 02 f9 fc00", "record 1, v: is not a finite number"},
		{"an infinity of 64 bits", "81 a2 00 61 61 02 fb 7ff0000000000000", "record 1, v: is not a finite number"},
		{"an integer beyond 2^53", "81 a2 00 61 61 02 1b 0020000000000001", "record 1, v: integer is beyond 2^53"},
		{"an integer of 64 bits", "81 a2 00 61 61 02 1b ffffffffffffffff", "record 1, v: integer is beyond 2^53"},
		{"-2^53-1", "81 a2 00 61 61 02 3b 0020000000000000", "record 1, v: integer is beyond 2^53"},
		{"a bignum", "81 a2 00 61 61 02 c2 49 010000000000000000", "record 1, v: integer is beyond 2^53"},
		{"a decimal fraction that no double holds", "81 a2 00 61 61 02 c4 82 19 01f4 01", "record 1, v: is not a finite number"},
		{"another tag", "81 a2 00 61 61 02 c1 01", "record 1, v: has a tag that is not known"},
		{"a sum alone", "81 a2 00 61 61 05 01", "record 1, s: a sum"},
		{"no value", "81 a1 00 61 61", "record 1: has no value"},
		{"text for a number", "81 a2 00 61 61 02 61 31", "record 1, v: is not a number"},
		{"bytes for text", "81 a2 00 41 61 02 01", "record 1, n: is not a string"},
		{"text for bytes", "81 a2 00 61 61 08 61 61", "record 1, vd: is not a byte string"},
		{"undefined for a number", "81 a2 00 61 61 02 f7", "record 1, v: is not a number"},
		{"a number for a bool", "81 a2 00 61 61 04 01", "record 1, vb: is not true or false"},
		{"a label that is an array", "81 a1 80 01", "record 1: has a label that is neither"},
		{"a name that is not UTF-8", "81 a2 00 61 ff 02 01", "record 1, n: is not UTF-8"},
		{"a record that is no map", "81 01", "record 1: is not a CBOR map"},
		{"a pack that is no array", "a2 00 61 61 02 01", "pack is not a CBOR array"},
		{"a pack cut short", "81 a2 00 61 61 02", "pack is not CBOR"},
		{"something after the pack", "81 a2 00 61 61 02 01 01", "pack is not CBOR"},
		{"no bytes", "", "pack is not CBOR"},
		{"nesting without end", "81 a3 00 61 61 02 01 18 63" + strings.Repeat(" 81", 64) + " 01", "pack is not CBOR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, err := senml.Decode(senml.CBOR, unhex(t, c.pack), senml.Split)
			if err == nil {
				t.Fatalf("taken as\n%s", lines(records))
			}
			if !errors.As(err, new(*senml.Error)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q", err, c.want)
			}
		})
	}
}

// packOf30 is what a device sends that gathers for a while.
func packOf30(tb testing.TB) []byte {
	tb.Helper()
	records := []map[int]any{{-2: "pump-7/", -3: 1.7e9, -4: "Cel"}}
	for i := range 30 {
		records = append(records, map[int]any{0: "temperature", 6: -i, 2: 20 + float64(i)/10})
	}
	b, err := cbor.Marshal(records)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func BenchmarkDecode_CBOR_of_30_readings(b *testing.B) {
	pack := packOf30(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := senml.Decode(senml.CBOR, pack, senml.Split); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode_JSON_of_30_readings(b *testing.B) {
	var pack strings.Builder
	pack.WriteString(`[{"bn":"pump-7/","bt":1.7e9,"bu":"Cel"}`)
	for i := range 30 {
		fmt.Fprintf(&pack, `,{"n":"temperature","t":%d,"v":%g}`, -i, 20+float64(i)/10)
	}
	pack.WriteString("]")
	in := []byte(pack.String())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := senml.Decode(senml.JSON, in, senml.Split); err != nil {
			b.Fatal(err)
		}
	}
}
