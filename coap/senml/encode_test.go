package senml_test

import (
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
		pack, n := senml.Encode(format, "hall/pump:7", readings(), 4096)
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
			pack, n := senml.Encode(format, "hall/pump:7", readings(), limit)
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
