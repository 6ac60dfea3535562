package senml_test

import (
	"os"
	"path/filepath"
	"testing"

	"skerry/coap/senml"
	"skerry/fsm"
)

func FuzzJSON(f *testing.F) {
	seedExamples(f, func(pack []byte) []byte { return pack })
	f.Add([]byte(`[{"n":"a","v":1e400}]`))
	f.Add([]byte(`[{"n":"a","x":[[[[{"y":1}]]]],"vd":"aGkgCg"}]`))
	f.Fuzz(func(t *testing.T, pack []byte) { decodeIsSound(t, senml.JSON, pack) })
}

func FuzzCBOR(f *testing.F) {
	seedExamples(f, func(pack []byte) []byte { return toCBOR(f, pack) })
	f.Add(unhex(f, "9f bf 00 7f 61 61 60 ff 02 c4 82 20 18d7 ff ff"))
	f.Add(unhex(f, "81 a7 00 61 61 18 63 9f 01 02 ff 19 03e8 bf 01 f6 ff 38 63 5f 41 00 ff 61 78 c1 01 3903e7 f6 02 f9 4d60"))
	f.Fuzz(func(t *testing.T, pack []byte) { decodeIsSound(t, senml.CBOR, pack) })
}

// FuzzEtch reads the same bytes as a Fetch Pack and as a Patch Pack.
func FuzzEtch(f *testing.F) {
	for _, pack := range []string{
		`[{"bn":"2001:db8::2/3311/0/","n":"5850"},{"n":"5851"}]`,
		`[{"bn":"a/","bt":1700000000,"bu":"V","n":"b"},{"n":"c","t":5,"u":"A"}]`,
		`[{"bn":"a/","n":"b","vb":false},{"n":"c","v":10},{"n":"d","t":1700000000,"v":null}]`,
	} {
		f.Add(false, []byte(pack))
		f.Add(true, toCBOR(f, []byte(pack)))
	}
	f.Add(true, unhex(f, "9f bf 20 7f 61 61 61 2f ff 00 61 62 06 c4 82 00 1a 6553f100 ff ff"))
	f.Fuzz(func(t *testing.T, binary bool, pack []byte) {
		format := senml.JSON
		if binary {
			format = senml.CBOR
		}
		etchIsSound(t, format, pack)
	})
}

// etchIsSound checks what is taken, and that a Patch Pack is a pack whose
// records may be removals, and whose records all have a value.
func etchIsSound(t *testing.T, format senml.Format, pack []byte) {
	selectors, err := senml.DecodeFetch(format, pack, senml.Split)
	if (err == nil) != (len(selectors) > 0) || len(selectors) > senml.MaxRecords {
		t.Fatalf("%d selectors with the error %v", len(selectors), err)
	}
	for i, s := range selectors {
		whole := fsm.Record{Device: s.Device, Resource: s.Resource, Unit: s.Unit, Time: s.Time, Value: fsm.FlagValue(true)}
		if err := whole.Validate(); err != nil {
			t.Fatalf("selector %d: %v", i, err)
		}
	}
	changes, err := senml.DecodePatch(format, pack, senml.Split)
	if (err == nil) != (len(changes) > 0) || len(changes) > senml.MaxRecords {
		t.Fatalf("%d changes with the error %v", len(changes), err)
	}
	removals := false
	for i := range changes {
		removals = removals || changes[i].Remove
		if err := changes[i].Record.Validate(); err != nil {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	if records, err := senml.Decode(format, pack, senml.Split); len(changes) > 0 && !removals && len(records) != len(changes) {
		t.Fatalf("%d changes and no removal, and %d readings: %v", len(changes), len(records), err)
	}
	if len(selectors) > 0 && len(changes) > 0 {
		t.Fatal("the pack both has values and has none")
	}
}

func seedExamples(f *testing.F, encode func([]byte) []byte) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		pack, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encode(pack))
	}
}

// decodeIsSound checks that whatever is taken is valid and within its bounds.
func decodeIsSound(t *testing.T, format senml.Format, pack []byte) {
	records, err := senml.Decode(format, pack, senml.Split)
	if (err == nil) != (len(records) > 0) {
		t.Fatalf("%d records with the error %v", len(records), err)
	}
	if len(records) > senml.MaxRecords {
		t.Fatalf("%d records", len(records))
	}
	for i := range records {
		if err := records[i].Validate(); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
}
