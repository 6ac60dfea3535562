package senml_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"skerry/coap/senml"
	"skerry/fsm"
)

// numbers are the CBOR labels of RFC 8428 section 6, written out here once
// more so that a mistake in the package shows.
var numbers = map[string]int{
	"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6,
	"n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8,
}

// toCBOR writes a JSON pack as CBOR.
func toCBOR(tb testing.TB, pack []byte) []byte {
	tb.Helper()
	var records []map[string]any
	if err := json.Unmarshal(pack, &records); err != nil {
		tb.Fatal(err)
	}
	out := make([]map[any]any, len(records))
	for i, record := range records {
		out[i] = map[any]any{}
		for label, value := range record {
			if label == "vd" {
				b, err := base64.RawURLEncoding.DecodeString(value.(string))
				if err != nil {
					tb.Fatal(err)
				}
				value = b
			}
			if number, known := numbers[label]; known {
				out[i][number] = value
			} else {
				out[i][label] = value
			}
		}
	}
	b, err := cbor.Marshal(out)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// lines writes records as the .want files have them.
func lines(records []fsm.Record) string {
	var b strings.Builder
	for _, r := range records {
		at := "now"
		switch {
		case !r.Relative:
			at = strconv.FormatFloat(float64(r.Time)/1e6, 'f', -1, 64)
		case r.Time != 0:
			at = fmt.Sprintf("now%+g", float64(r.Time)/1e6)
		}
		value := r.Value.String()
		switch r.Value.Kind {
		case fsm.Text:
			value = strconv.Quote(value)
		case fsm.Data:
			value = fmt.Sprintf("x%x", r.Value.Data)
		}
		fmt.Fprintf(&b, "%s | %s | %s | %s | %s\n", r.Device, r.Resource, r.Unit, at, value)
	}
	return b.String()
}

// TestDecode_resolves_the_examples_of_RFC_8428 has section 5.1 as files.
func TestDecode_resolves_the_examples_of_RFC_8428(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d examples: %v", len(files), err)
	}
	for _, file := range files {
		pack, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		for format, encoded := range map[senml.Format][]byte{senml.JSON: pack, senml.CBOR: toCBOR(t, pack)} {
			records, err := senml.Decode(format, encoded, senml.Split)
			if err != nil {
				t.Errorf("%s in format %d: %v", file, format, err)
			} else if got := lines(records); got != string(want) {
				t.Errorf("%s in format %d: got\n%swant\n%s", file, format, got, want)
			}
		}
	}
}

func TestDecode_reads_the_bytes_of_RFC_8428_section_6(t *testing.T) {
	pack, err := os.ReadFile("testdata/base-time.cbor")
	if err != nil || len(pack) != 195 {
		t.Fatalf("%d bytes: %v", len(pack), err)
	}
	want, err := os.ReadFile("testdata/base-time.want")
	if err != nil {
		t.Fatal(err)
	}
	records, err := senml.Decode(senml.CBOR, pack, senml.Split)
	if err != nil {
		t.Fatal(err)
	}
	if got := lines(records); got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
