//go:build e2e

package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// senmlExamples are the packs of RFC 8428 section 5.1 and what they resolve to.
const senmlExamples = "../coap/senml/testdata"

// senmlLabels are the integer labels of RFC 8428 section 6.
var senmlLabels = map[string]int{
	"bver": -1, "bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6,
	"n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8,
}

// anyReading is a reading of any kind, as HTTP tells it.
type anyReading struct {
	Seq      uint64    `json:"seq"`
	Device   string    `json:"device"`
	Resource string    `json:"resource"`
	Unit     string    `json:"unit"`
	Time     time.Time `json:"time"`
	Received time.Time `json:"received"`
	Value    *float64  `json:"value"`
	Text     *string   `json:"text"`
	Flag     *bool     `json:"flag"`
	Data     *[]byte   `json:"data"`
}

// line writes a reading as the .want files have it. "now" is when it came in.
func (r anyReading) line() string {
	at := "now"
	if r.Received.Sub(r.Time).Abs() > time.Second {
		at = strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%06d", r.Time.Unix(), r.Time.Nanosecond()/1000), "0"), ".")
	}
	value := ""
	switch {
	case r.Value != nil:
		value = fmt.Sprint(*r.Value)
	case r.Text != nil:
		value = fmt.Sprintf("%q", *r.Text)
	case r.Flag != nil:
		value = fmt.Sprint(*r.Flag)
	case r.Data != nil:
		value = fmt.Sprintf("x%x", *r.Data)
	}
	return fmt.Sprintf("%s | %s | %s | %s | %s\n", r.Device, r.Resource, r.Unit, at, value)
}

// TestExamplesOfRFC8428 posts each example as JSON and as CBOR with libcoap and
// reads at every node what it resolved to.
func TestExamplesOfRFC8428(t *testing.T) {
	client := program(t, "coap-client-notls", "coap-client")
	s := startSite(t, 3)
	files, err := filepath.Glob(filepath.Join(senmlExamples, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in %s: %v", senmlExamples, err)
	}
	var last uint64
	for i, file := range files {
		want, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".want")
		if err != nil {
			t.Fatal(err)
		}
		binary := senmlCBOR(t, file)
		for format, body := range map[string]string{"110": file, "112": binary} {
			// Under a key of its own the CBOR is not taken for the JSON again.
			url := fmt.Sprintf("coap://%s/r?id=%s-%s", s.nodes[i%3].coap, filepath.Base(file), format)
			postFile(t, client, url, format, body)
			for _, n := range s.nodes {
				var page struct {
					Readings []anyReading `json:"readings"`
				}
				if err := n.get(fmt.Sprintf("/v1/readings?after=%d", last), &page); err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, r := range page.Readings {
					got += r.line()
				}
				if got != string(want) {
					t.Errorf("%s as %s at %s: got\n%swant\n%s", filepath.Base(file), format, n.name, got, want)
				}
			}
			last += uint64(strings.Count(string(want), "\n"))
		}
	}
	s.digestsAgree()
}

// postFile posts a file with libcoap's client and wants 2.04.
func postFile(t *testing.T, client, url, format, file string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, client, "-v", "6", "-B", "20", "-m", "post", "-t", format, "-f", file, url).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "c:2.04") {
		t.Fatalf("%s: %v: %s", url, err, out)
	}
}

// senmlCBOR writes a JSON pack as CBOR into a file.
func senmlCBOR(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var records []map[string]any
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	pack := make([]map[int]any, len(records))
	for i, record := range records {
		pack[i] = map[int]any{}
		for label, value := range record {
			if label == "vd" {
				if value, err = base64.RawURLEncoding.DecodeString(value.(string)); err != nil {
					t.Fatal(err)
				}
			}
			pack[i][senmlLabels[label]] = value
		}
	}
	b, err := cbor.Marshal(pack)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "pack.cbor")
	if err := os.WriteFile(out, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return out
}
