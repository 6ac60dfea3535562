package api_test

import (
	"net/http"
	"strings"
	"testing"

	"skerry/fsm"
)

// conditional sends a JSON body with one header more.
func (d *door) conditional(method, path, header, value, body string) reply {
	d.tb.Helper()
	return d.with(method, path, http.Header{"Content-Type": {"application/json"}, header: {value}}, body)
}

func TestADesiredDocumentIsWrittenReadAndDeleted(t *testing.T) {
	d, _ := openNode(t, nil)
	const path = "/v1/devices/hall%2Fpump/desired"
	d.get(path).problem(t, http.StatusNotFound, "no-document", "desired")
	first := d.json("PUT", path, `{"every":60}`)
	first.want(t, http.StatusCreated, nil)
	got := d.get(path)
	got.want(t, http.StatusOK, nil)
	if string(got.body) != `{"every":60}` || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("ETag") != first.Header.Get("ETag") || got.Header.Get("Last-Modified") == "" {
		t.Errorf("document = %s with %v, want it as it was written with the ETag %s", got.body, got.Header, first.Header.Get("ETag"))
	}
	if again := d.conditional("GET", path, "If-None-Match", got.Header.Get("ETag"), ""); again.StatusCode != http.StatusNotModified || len(again.body) != 0 {
		t.Errorf("the same again = %d %s, want 304 without a body", again.StatusCode, again.body)
	}
	second := d.json("PUT", path, `{"every":30}`)
	second.want(t, http.StatusNoContent, nil)
	if second.Header.Get("ETag") == first.Header.Get("ETag") {
		t.Error("another document has the same ETag")
	}
	d.json("DELETE", path, "").want(t, http.StatusNoContent, nil)
	d.json("DELETE", path, "").problem(t, http.StatusNotFound, "no-document", "desired")
}

func TestADocumentChangesUnderConditionsOnly(t *testing.T) {
	d, _ := openNode(t, nil)
	const path = "/v1/devices/pump/desired"
	d.conditional("PUT", path, "If-Match", "*", `1`).problem(t, http.StatusPreconditionFailed, "precondition", "read it again")
	d.conditional("PUT", path, "If-Match", `"1"`, `1`).problem(t, http.StatusPreconditionFailed, "precondition", "")
	made := d.conditional("PUT", path, "If-None-Match", "*", `1`)
	made.want(t, http.StatusCreated, nil)
	tag := made.Header.Get("ETag")
	d.conditional("PUT", path, "If-None-Match", "*", `2`).problem(t, http.StatusPreconditionFailed, "precondition", "")
	for _, other := range []string{`"999"`, "W/" + tag, `"x"`, strings.Trim(tag, `"`)} {
		d.conditional("PUT", path, "If-Match", other, `2`).problem(t, http.StatusPreconditionFailed, "precondition", "")
	}
	changed := d.conditional("PUT", path, "If-Match", `"999", `+tag, `3`)
	changed.want(t, http.StatusNoContent, nil)
	d.conditional("DELETE", path, "If-Match", tag, "").problem(t, http.StatusPreconditionFailed, "precondition", "")
	d.conditional("DELETE", path, "If-Match", changed.Header.Get("ETag"), "").want(t, http.StatusNoContent, nil)
}

func TestContentTypesAreContentFormatsAndBack(t *testing.T) {
	d, _ := openNode(t, nil)
	for _, c := range []struct{ sent, read string }{
		{"application/json", "application/json"},
		{"application/cbor", "application/cbor"},
		{"text/plain; charset=UTF-8", "text/plain; charset=utf-8"},
		{"text/plain", "text/plain; charset=utf-8"},
		{"application/coap-payload;cf=65001", "application/coap-payload;cf=65001"},
		{"application/coap-payload; cf=50", "application/json"},
		{"", "application/octet-stream"},
	} {
		t.Run(c.sent, func(t *testing.T) {
			res := d.do("PUT", "/v1/devices/pump/desired", c.sent, "x")
			if res.StatusCode/100 != 2 {
				t.Fatalf("put = %d %s", res.StatusCode, res.body)
			}
			if got := d.get("/v1/devices/pump/desired"); got.Header.Get("Content-Type") != c.read || string(got.body) != "x" {
				t.Errorf("Content-Type = %s, body %q, want %s", got.Header.Get("Content-Type"), got.body, c.read)
			}
		})
	}
	for _, sent := range []string{"application/x-www-form-urlencoded", "text/plain; charset=latin1", "application/coap-payload", ";"} {
		d.do("PUT", "/v1/devices/pump/desired", sent, "x").problem(t, http.StatusUnsupportedMediaType, "content-type", "")
	}
}

func TestALargeDocumentIsRefused(t *testing.T) {
	d, _ := openNode(t, nil)
	d.json("PUT", "/v1/devices/pump/desired", strings.Repeat("1", fsm.MaxDocument)).want(t, http.StatusCreated, nil)
	d.json("PUT", "/v1/devices/pump/desired", strings.Repeat("1", fsm.MaxDocument+1)).problem(t, http.StatusRequestEntityTooLarge, "too-large", "8192")
}

func TestTheReportedDocumentIsForReadingAlone(t *testing.T) {
	d, node := openNode(t, nil)
	node.MustPropose(fsm.PutDocumentCommand{Device: "pump", Kind: fsm.Reported, Format: 60, Body: []byte{0xa0}})
	got := d.get("/v1/devices/pump/reported")
	got.want(t, http.StatusOK, nil)
	if string(got.body) != "\xa0" || got.Header.Get("Content-Type") != "application/cbor" {
		t.Errorf("document = %x as %s", got.body, got.Header.Get("Content-Type"))
	}
	d.json("PUT", "/v1/devices/pump/reported", "1").problem(t, http.StatusMethodNotAllowed, "method", "GET, HEAD")
}
