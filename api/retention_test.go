package api_test

import (
	"net/http"
	"testing"

	"skerry/cluster"
)

// settings are the answer of /v1/retention.
type settings struct {
	Version  uint64
	Readings struct {
		Age   float64
		Bytes uint64
	}
	Frames struct {
		Age   float64
		Bytes uint64
	}
	Unshipped string
}

func TestRetentionIsShownAndReplaced(t *testing.T) {
	d, node := openNode(t, nil)
	node.Of().Wait("level 2", func() bool { return node.Status().Level >= 2 })
	var s settings
	d.get("/v1/retention").want(t, http.StatusOK, &s)
	if s != (settings{Unshipped: "keep"}) {
		t.Errorf("a new site keeps %+v, want all", s)
	}
	d.json("PUT", "/v1/retention", `{"readings":{"age":86400.5,"bytes":8589934592},"frames":{"age":3600},"unshipped":"drop"}`).want(t, http.StatusOK, &s)
	want := settings{Version: 1, Unshipped: "drop"}
	want.Readings.Age, want.Readings.Bytes, want.Frames.Age = 86400.5, 8<<30, 3600
	if s != want {
		t.Errorf("answer %+v, want %+v", s, want)
	}
	s = settings{}
	if d.get("/v1/retention").want(t, http.StatusOK, &s); s != want {
		t.Errorf("settings %+v, want %+v", s, want)
	}
	d.json("PUT", "/v1/retention", `{"version":0}`).problem(t, http.StatusPreconditionFailed, "precondition", "read it again")
	d.json("PUT", "/v1/retention", `{"version":1}`).want(t, http.StatusOK, nil)
	s = settings{}
	if d.get("/v1/retention").want(t, http.StatusOK, &s); s != (settings{Version: 2, Unshipped: "keep"}) {
		t.Errorf("settings %+v, want all kept, of version 2", s)
	}
	for body, detail := range map[string]string{
		`{"readings":{"age":-1}}`:      "100 years",
		`{"frames":{"age":1e300}}`:     "100 years",
		`{"readings":{"bytes":4096}}`:  "at least",
		`{"unshipped":"burn"}`:         "keep, or drop",
		`{"readngs":{"age":1}}`:        "readngs",
		`{"readings":{"age":"month"}}`: "age",
	} {
		d.json("PUT", "/v1/retention", body).problem(t, http.StatusBadRequest, "retention", detail)
	}
}

func TestADevicesDataIsErased(t *testing.T) {
	d, node := openNode(t, nil)
	node.Of().Wait("level 2", func() bool { return node.Status().Level >= 2 })
	d.stored("", `[{"n":"pump/t","v":1},{"n":"other/t","v":2}]`)
	d.json("DELETE", "/v1/devices/pump/data", "").want(t, http.StatusNoContent, nil)
	d.json("DELETE", "/v1/devices/pump/data", "").want(t, http.StatusNoContent, nil)
	d.json("DELETE", "/v1/devices/none/data", "").problem(t, http.StatusNotFound, "no-such-device", "has sent nothing")
	var list struct {
		Readings []struct{ Device string }
		Devices  []struct{ Device string }
	}
	d.get("/v1/readings").want(t, http.StatusOK, &list)
	if len(list.Readings) != 1 || list.Readings[0].Device != "other" {
		t.Errorf("readings %+v, want other's alone", list.Readings)
	}
	d.get("/v1/devices").want(t, http.StatusOK, &list)
	if len(list.Devices) != 1 || list.Devices[0].Device != "other" {
		t.Errorf("devices %+v, want other alone", list.Devices)
	}
	d.get("/v1/devices/pump").problem(t, http.StatusNotFound, "no-such-device", "pump")
}

func TestFullDisksAre503WithAdviceToComeAgain(t *testing.T) {
	d := open(t, &stub{proposeErr: cluster.ErrDiskFull}, nil)
	res := d.do("POST", "/v1/readings", "application/senml+json", `[{"n":"a/b","v":1}]`)
	res.problem(t, http.StatusServiceUnavailable, "disk-full", "nothing was stored")
	if res.Header.Get("Retry-After") == "" {
		t.Error("the answer does not say when to come again")
	}
}
