package senml_test

import (
	"os"
	"path/filepath"
	"testing"

	"skerry/coap/senml"
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
