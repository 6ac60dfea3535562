package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSeriesAreSplitAtTheLastSlash(t *testing.T) {
	tests := []struct {
		name, series, device, resource string
	}{
		{"a device and a resource", "pump-7/temperature", "pump-7", "temperature"},
		{"a device with slashes", "hall/3/lamp", "hall/3", "lamp"},
		{"a device alone", "pump-7", "pump-7", ""},
		{"a device with a slash, alone", "hall/3/", "hall/3", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			device, resource := splitSeries(tt.series)
			if device != tt.device || resource != tt.resource {
				t.Errorf("got %q and %q, want %q and %q", device, resource, tt.device, tt.resource)
			}
		})
	}
}

func TestTimesAreRFC3339OrUnixSeconds(t *testing.T) {
	want := time.Date(2026, 1, 31, 12, 0, 0, 500_000_000, time.UTC)
	for _, text := range []string{"2026-01-31T12:00:00.5Z", "2026-01-31T13:00:00.5+01:00", "1769860800.5"} {
		got, err := parseTime("from", text)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "noon", "NaN", "1e300", "2026-01-31"} {
		if got, err := parseTime("from", text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestValuesHaveTheTypeThatPlainTextGivesThem(t *testing.T) {
	tests := []struct {
		text, want string // want is JSON
	}{
		{"21.6", "21.6"},
		{"-5", "-5"},
		{"+5", "5"},
		{".5", "0.5"},
		{"1e3", "1e3"},
		{"true", "true"},
		{"True", `"True"`},
		{"NaN", `"NaN"`},
		{"-Inf", `"-Inf"`},
		{"0x10p1", `"0x10p1"`},
		{"1_000", `"1_000"`},
		{"1e400", `"1e400"`},
		{"", `""`},
		{"all is well", `"all is well"`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := json.Marshal(jsonValue(tt.text))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestAPostNamesItselfUnlessItsTimeDoes(t *testing.T) {
	tests := []struct {
		name, id, unit, at string
		wantID             bool
		wantBody           string
	}{
		{"a value alone is text, with an id", "", "", "", true, "21.6"},
		{"a unit makes it JSON", "", "Cel", "", true, `{"value":21.6,"unit":"Cel"}`},
		{"with a time of its own it needs no id", "", "Cel", "2026-01-31T12:00:00Z", false, `{"value":21.6,"unit":"Cel","time":"2026-01-31T12:00:00Z"}`},
		{"seconds stay a number", "", "", "-5", false, `{"value":21.6,"time":-5}`},
		{"an id that is given is kept", "k1", "", "-5", true, `{"value":21.6,"time":-5}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := posting{Device: "d", Resource: "r", ID: tt.id}
			r, err := reading(&p, "21.6", tt.unit, tt.at)
			if err != nil {
				t.Fatal(err)
			}
			if string(r.Payload) != tt.wantBody {
				t.Errorf("body: got %s, want %s", r.Payload, tt.wantBody)
			}
			if got := len(r.Query) == 1 && r.Query[0] == "id="+p.ID; got != tt.wantID || tt.id != "" && p.ID != tt.id {
				t.Errorf("id: got query %q and id %q", r.Query, p.ID)
			}
		})
	}
}

func TestAFileIsAFrameOrBytes(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          uint16
	}{
		{"a JPEG is a frame", "\xff\xd8\xff\xe0\x00\x10JFIF", formatJPEG},
		{"anything else is bytes", "21.6", formatOctets},
		{"nothing is bytes", "", formatOctets},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "body")
			if err := os.WriteFile(file, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			p := posting{Device: "cam-1", Resource: "front"}
			r, err := fileReading(&p, file)
			if err != nil {
				t.Fatal(err)
			}
			if r.Format != tt.want || !r.Typed || string(r.Payload) != tt.content || len(r.Query) != 1 {
				t.Errorf("got %+v, want the bytes in format %d with an id", r, tt.want)
			}
		})
	}
	if _, err := fileReading(&posting{}, filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v", err)
	}
}
