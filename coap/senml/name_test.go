package senml_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"skerry/coap/senml"
)

// unhex reads hex with spaces.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ name, base, own, device, resource string }{
		{"both names, with a slash between", "pump-7/", "temperature", "pump-7", "temperature"},
		{"both names, with a colon between", "urn:dev:ow:01:", "voltage", "urn:dev:ow:01", "voltage"},
		{"both names, with nothing between", "pump-7", "temperature", "pump-7", "temperature"},
		{"only one separator is taken off", "a::", "b", "a:", "b"},
		{"a base name with slashes", "hall/pump-7/", "temperature", "hall/pump-7", "temperature"},
		{"a name with a slash joins the device", "hall/", "pump-7/temperature", "hall/pump-7", "temperature"},
		{"a name with a slash joins the device as it stands", "urn:dev:", "7/t", "urn:dev:7", "t"},
		{"a name alone", "", "pump-7/temperature", "pump-7", "temperature"},
		{"a name alone with slashes", "", "hall/pump-7/temperature", "hall/pump-7", "temperature"},
		{"a name alone without a slash", "", "urn:dev:ow:01", "urn:dev:ow:01", "value"},
		{"a base name alone", "pump-7/temperature", "", "pump-7", "temperature"},
		{"a base name alone without a slash", "urn:dev:ow:01", "", "urn:dev:ow:01", "value"},
		{"a base name alone that names would follow", "pump-7/", "", "pump-7", "value"},
		{"a base name alone that names would follow after a colon", "urn:dev:ow:01:", "", "urn:dev:ow:01", "value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			device, resource, err := senml.Split(c.base, c.own)
			if err != nil || device != c.device || resource != c.resource {
				t.Errorf("got %q and %q (%v), want %q and %q", device, resource, err, c.device, c.resource)
			}
		})
	}
}

func TestResourcesOf(t *testing.T) {
	name := senml.ResourcesOf("hall/pump-7")
	device, resource, err := name("", "temperature")
	if err != nil || device != "hall/pump-7" || resource != "temperature" {
		t.Errorf("got %q and %q: %v", device, resource, err)
	}
	if _, _, err := name("pump-8/", "temperature"); err == nil {
		t.Error("a base name is taken beside the path's device")
	}
	pack := []byte(`[{"n":"a/b","v":1}]`)
	if _, err := senml.Decode(senml.JSON, pack, name); err == nil || !strings.Contains(err.Error(), "has a '/'") {
		t.Errorf("a resource with a slash: %v", err)
	}
}
