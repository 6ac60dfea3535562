package coap_test

import (
	"testing"

	"skerry/coap"
	"skerry/fsm"
)

// FuzzSingle checks that a body with one value that is taken has a value that
// the site takes.
func FuzzSingle(f *testing.F) {
	for _, body := range []string{
		"21.6", "-1e400", "true", "NaN", "9007199254740993", `{"value":21.6,"unit":"Cel","time":1700000000}`,
		`{"time":"2023-11-14T22:13:20Z","value":false}`, "\xa2\x65value\x20\x64unit\x63Cel", "\xf9\x7e\x00", "\xc1\x1a\x65\x53\xf1\x00",
	} {
		for _, format := range []uint32{0, 42, 50, 60} {
			f.Add(format, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, format uint32, body []byte) {
		rec, err := coap.Single(format, body)
		if err != nil {
			return
		}
		// Names, unit, time and sizes are judged by the record as a whole.
		rec.Device, rec.Resource, rec.Unit, rec.Time, rec.Relative = "d", "x", "", 0, true
		if err := rec.Validate(); err != nil && len(rec.Value.Text) <= fsm.MaxText {
			t.Fatalf("%q in format %d is taken and not valid: %v", body, format, err)
		}
	})
}
