package senml_test

import (
	"bytes"
	"testing"

	"skerry/coap/senml"
	"skerry/fsm"
)

func readings() []fsm.Reading {
	const at = 1_700_000_000_123_456
	return []fsm.Reading{
		{Device: "hall/pump:7", Resource: "temperature", Unit: "Cel", Time: at, Value: fsm.NumberValue(21.6)},
		{Device: "hall/pump:7", Resource: "level", Time: at + 876_544, Value: fsm.NumberValue(0)},
		{Device: "hall/pump:7", Resource: "open", Time: at, Value: fsm.FlagValue(false)},
		{Device: "hall/pump:7", Resource: "note", Time: at, Value: fsm.TextValue("a \"b\" ü")},
		{Device: "hall/pump:7", Resource: "empty", Time: at, Value: fsm.TextValue("")},
		{Device: "hall/pump:7", Resource: "raw", Time: at, Value: fsm.DataValue([]byte{0, 1, 2})},
		{Device: "hall/pump:7", Resource: "large", Time: at, Value: fsm.NumberValue(-1.5e300)},
	}
}

func TestEncode_is_read_back(t *testing.T) {
	for _, format := range []senml.Format{senml.JSON, senml.CBOR} {
		pack, n := senml.Encode(format, readings(), 4096)
		if n != len(readings()) {
			t.Fatalf("format %d: %d readings, want %d", format, n, len(readings()))
		}
		records, err := senml.Decode(format, pack, senml.Split)
		if err != nil {
			t.Fatalf("format %d: %v in %q", format, err, pack)
		}
		for i, want := range readings() {
			got := records[i]
			if got.Device != want.Device || got.Resource != want.Resource || got.Unit != want.Unit ||
				got.Time != want.Time || got.Relative || fsm.HashValue(got.Value) != fsm.HashValue(want.Value) {
				t.Errorf("format %d: got %+v, want %+v", format, got, want)
			}
		}
	}
}

func TestEncode_leaves_out_what_does_not_fit(t *testing.T) {
	for _, format := range []senml.Format{senml.JSON, senml.CBOR} {
		before := -1
		for limit := range 600 {
			pack, n := senml.Encode(format, readings(), limit)
			if n > 0 && len(pack) > limit {
				t.Fatalf("format %d: %d bytes, at most %d were asked for", format, len(pack), limit)
			}
			if n < before {
				t.Fatalf("format %d: fewer readings in more bytes", format)
			}
			before = n
			if n == 0 {
				continue
			}
			if records, err := senml.Decode(format, pack, senml.Split); err != nil || len(records) != n {
				t.Fatalf("format %d: %d readings of %d: %v", format, len(records), n, err)
			}
		}
		if before != len(readings()) {
			t.Errorf("format %d: %d readings in 600 bytes", format, before)
		}
	}
}

func TestEncode_names_each_device_once(t *testing.T) {
	of := func(device, resource string, v float64) fsm.Reading {
		return fsm.Reading{Device: device, Resource: resource, Time: 1_700_000_000e6, Value: fsm.NumberValue(v)}
	}
	readings := []fsm.Reading{of("a", "x", 1), of("a", "y", 2), of("b:", "x", 3), of("a", "x", 4)}
	const want = `[{"bn":"a/","n":"x","t":1700000000,"v":1},{"n":"y","t":1700000000,"v":2},` +
		`{"bn":"b:/","n":"x","t":1700000000,"v":3},{"bn":"a/","n":"x","t":1700000000,"v":4}]`
	if got, n := senml.Encode(senml.JSON, readings, 4096); n != 4 || string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	pack, _ := senml.Encode(senml.CBOR, readings, 4096)
	records, err := senml.Decode(senml.CBOR, pack, senml.Split)
	if err != nil || len(records) != len(readings) {
		t.Fatalf("%d records: %v", len(records), err)
	}
	for i, r := range records {
		if r.Device != readings[i].Device || r.Resource != readings[i].Resource {
			t.Errorf("record %d is of %s/%s, want %s/%s", i+1, r.Device, r.Resource, readings[i].Device, readings[i].Resource)
		}
	}
}

func TestEncode_has_no_bound_but_the_limit(t *testing.T) {
	readings := make([]fsm.Reading, 70_000)
	for i := range readings {
		readings[i] = fsm.Reading{Device: "a", Resource: "x", Value: fsm.FlagValue(true)}
	}
	for count, head := range map[int]string{23: "97", 24: "98 18", 255: "98 ff", 256: "99 01 00", 65_535: "99 ff ff", 65_536: "9a 00 01 00 00"} {
		pack, n := senml.Encode(senml.CBOR, readings[:count], 1<<20)
		if n != count || !bytes.HasPrefix(pack, unhex(t, head)) {
			t.Errorf("%d of %d readings begin with %x, want %s", n, count, pack[:5], head)
		}
	}
}
