package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"

	"skerry/api"
	"skerry/cluster"
	"skerry/fsm"
)

func TestTheNodesOwnViewNeedsNoLeader(t *testing.T) {
	d := open(t, &stub{viewErr: cluster.ErrNoLeader, status: cluster.Status{Node: "n1", State: "candidate", LastSeq: 7}}, nil)
	var s struct {
		Node    string
		Leader  *string
		LastSeq int `json:"last_seq"`
	}
	d.get("/v1/status").want(t, http.StatusOK, &s)
	if s.Node != "n1" || s.LastSeq != 7 || s.Leader == nil || *s.Leader != "" {
		t.Errorf("status = %+v, want n1 without a leader at seq 7", s)
	}
	if got := strings.TrimSpace(string(d.get("/v1/members").body)); got != `{"members":[]}` {
		t.Errorf("members = %s", got)
	}
	d.get("/healthz").want(t, http.StatusOK, nil)
	d.get("/readyz").problem(t, http.StatusServiceUnavailable, "not-ready", "candidate")
	d.get("/metrics").want(t, http.StatusOK, nil)
}

func TestAReadyNodeSaysSo(t *testing.T) {
	d, _ := openNode(t, nil)
	d.get("/readyz").want(t, http.StatusOK, nil)
}

func TestDevicesAreListedWithTheirLatest(t *testing.T) {
	d, _ := openNode(t, nil)
	d.stored("", `[{"n":"hall/pump/t","v":1},{"n":"hall/pump/p","v":2},{"n":"hall/pump/t","v":3}]`)
	var all struct {
		Devices []struct {
			Device    string
			Resources []string
			Received  string
		}
	}
	d.get("/v1/devices").want(t, http.StatusOK, &all)
	if len(all.Devices) != 1 || all.Devices[0].Device != "hall/pump" || strings.Join(all.Devices[0].Resources, " ") != "p t" {
		t.Errorf("devices = %+v, want hall/pump with p and t", all.Devices)
	}
	var one struct {
		Device string
		Latest []struct {
			Resource string
			Value    float64
		}
	}
	d.get("/v1/devices/hall%2Fpump").want(t, http.StatusOK, &one)
	if len(one.Latest) != 2 || one.Latest[0].Resource != "p" || one.Latest[1].Value != 3 {
		t.Errorf("latest = %+v, want p and the later t", one.Latest)
	}
	d.get("/v1/devices/nobody").problem(t, http.StatusNotFound, "no-such-device", "/v1/devices")
}

func TestAFrameComesBackAsItWasSent(t *testing.T) {
	d, node := openNode(t, nil)
	jpeg := append([]byte{0xff, 0xd8, 0xff}, bytes.Repeat([]byte{7}, 5000)...)
	node.MustPropose(&fsm.FrameCommand{Key: fsm.Key{1}, Device: "cam", Resource: "motion", Time: 1e15, Width: 4, Height: 3, JPEG: jpeg})
	var list struct {
		Frames []struct {
			Seq, Width, Height, Size int
			Device, SHA256, Time     string
		}
		Next *string
	}
	d.get("/v1/frames?after=0").want(t, http.StatusOK, &list)
	sum := sha256.Sum256(jpeg)
	if len(list.Frames) != 1 || list.Frames[0].SHA256 != hex.EncodeToString(sum[:]) || list.Frames[0].Size != len(jpeg) || list.Next == nil || *list.Next != "" {
		t.Errorf("frames = %+v", list)
	}
	res := d.get("/v1/frames/1")
	if got := res.Header.Get("Content-Type"); got != "image/jpeg" || !bytes.Equal(res.body, jpeg) {
		t.Errorf("frame has %d bytes of %s, want the %d sent", len(res.body), got, len(jpeg))
	}
	d.get("/v1/frames/2").problem(t, http.StatusNotFound, "no-such-frame", "/v1/frames")
	d.get("/v1/frames/x").problem(t, http.StatusBadRequest, "parameter", "seq")
}

const hot = `{"id":"hot","spec":{"kind":"count","device":"pump-*","resource":"t","op":">","operand":10,"every":60000000,"output_device":"stats","output_resource":"hot"}}`

func TestATaskIsCreatedShownAndCancelled(t *testing.T) {
	d, _ := openNode(t, func(c *api.Config) {
		c.Progress = func(*fsm.Task) (any, error) { return map[string]int{"late": 3}, nil }
	})
	post := func(body string) reply { return d.do("POST", "/v1/tasks", "application/json", body) }
	if res := post(hot); res.StatusCode != http.StatusCreated || res.Header.Get("Location") != "/v1/tasks/hot" {
		t.Fatalf("status %d at %q: %s", res.StatusCode, res.Header.Get("Location"), res.body)
	}
	post(hot).want(t, http.StatusOK, nil)
	post(strings.Replace(hot, "10", "11", 1)).problem(t, http.StatusConflict, "task-exists", "another name")
	var shown struct {
		ID, State string
		Spec      fsm.TaskSpec
		Progress  map[string]int
		Attempt   *int
	}
	d.get("/v1/tasks/hot").want(t, http.StatusOK, &shown)
	if shown.ID != "hot" || shown.State != "active" || shown.Spec.Operand != 10 || shown.Progress["late"] != 3 || shown.Attempt == nil {
		t.Errorf("task = %+v", shown)
	}
	d.do("DELETE", "/v1/tasks/hot", "", "").want(t, http.StatusNoContent, nil)
	var all struct{ Tasks []struct{ ID, State string } }
	d.get("/v1/tasks").want(t, http.StatusOK, &all)
	if len(all.Tasks) != 1 || all.Tasks[0].State != "cancelled" {
		t.Errorf("tasks = %+v, want hot, cancelled", all.Tasks)
	}
	d.get("/v1/tasks/cold").problem(t, http.StatusNotFound, "no-such-task", "no such task")
	d.do("DELETE", "/v1/tasks/cold", "", "").problem(t, http.StatusNotFound, "no-such-task", "no such task")
	var made struct{ ID string }
	post(strings.Replace(hot, `"id":"hot",`, "", 1)).want(t, http.StatusCreated, &made)
	if !strings.HasPrefix(made.ID, "count-") {
		t.Errorf("id without a name = %q, want count- and a random part", made.ID)
	}
}

func TestABadTaskIsRefused(t *testing.T) {
	d, _ := openNode(t, nil)
	for _, c := range []struct {
		name, body string
		status     int
		kind       string
		advice     string
	}{
		{"no JSON", `{`, 400, "task", ""},
		{"an unknown field", strings.Replace(hot, `"op"`, `"opp"`, 1), 400, "task", "opp"},
		{"two objects", hot + hot, 400, "task", "one object"},
		{"an unknown kind", strings.Replace(hot, `"count"`, `"sum"`, 1), 400, "task", "count"},
		{"a window over a day", strings.Replace(hot, "60000000", "90000000000", 1), 400, "task", "out of range"},
		{"an id over its bound", strings.Replace(hot, `"hot"`, `"`+strings.Repeat("x", 65)+`"`, 1), 400, "task", "64"},
		{"a body over its bound", strings.Repeat(" ", 17<<10) + hot, 413, "too-large", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.do("POST", "/v1/tasks", "application/json", c.body).problem(t, c.status, c.kind, c.advice)
		})
	}
}

// bucket is a Cloud with a given end of a sync.
type bucket struct{ err error }

func (b bucket) Status() any                       { return map[string]int{"backlog": 5} }
func (b bucket) Sync(context.Context) (any, error) { return map[string]int{"backlog": 0}, b.err }

func TestTheBucketIsShownAndSynced(t *testing.T) {
	d := open(t, &stub{}, func(c *api.Config) { c.Cloud = bucket{} })
	for path, want := range map[string]string{"/v1/cloud": `{"backlog":5}`, "/v1/status": `"cloud":{"backlog":5}`} {
		if got := string(d.get(path).body); !strings.Contains(got, want) {
			t.Errorf("%s = %s, want %s in it", path, got, want)
		}
	}
	if got := strings.TrimSpace(string(d.do("POST", "/v1/cloud/sync", "", "").body)); got != `{"backlog":0}` {
		t.Errorf("sync = %s", got)
	}
	none := open(t, &stub{}, nil)
	none.get("/v1/cloud").problem(t, http.StatusNotFound, "no-cloud", "--cloud")
	failing := open(t, &stub{}, func(c *api.Config) { c.Cloud = bucket{errors.New("put data: no space left")} })
	failing.do("POST", "/v1/cloud/sync", "", "").problem(t, http.StatusServiceUnavailable, "bucket", "no space left")
}

func TestANodeLeavesWhenAsked(t *testing.T) {
	left := 0
	d := open(t, &stub{status: cluster.Status{Node: "n1"}}, func(c *api.Config) {
		c.Leave = func(context.Context) error { left++; return nil }
	})
	d.get("/v1/leave").problem(t, http.StatusMethodNotAllowed, "method", "POST")
	d.do("POST", "/v1/leave", "", "").want(t, http.StatusOK, nil)
	if left != 1 {
		t.Errorf("left %d times, want 1", left)
	}
}

func TestMetricsShowNodeRequestsAndOtherRooms(t *testing.T) {
	d, _ := openNode(t, func(c *api.Config) {
		c.Samples = []func() []api.Sample{func() []api.Sample {
			return []api.Sample{
				{Name: "ingest_refused_total", Help: "Refused.", Counter: true, Label: [2]string{"reason", "full"}, Value: 2},
				{Name: "ingest_refused_total", Help: "Refused.", Counter: true, Label: [2]string{"reason", "bad"}, Value: 1},
			}
		}}
	})
	d.stored("", `[{"n":"a/b","v":1}]`)
	d.do("BREW", "/v1/readings", "", "")
	got := string(d.get("/metrics").body)
	for _, want := range []string{
		"skerry_last_seq 1\n", "skerry_leads 1\n", "skerry_ready 1\n", `skerry_members{alive="true",role="leader"} 1`,
		`skerry_http_requests_total{code="200",method="POST",route="/v1/readings"} 1`,
		`skerry_http_requests_total{code="405",method="other",route="/v1/readings"} 1`,
		`skerry_ingest_refused_total{reason="full"} 2`, `skerry_ingest_refused_total{reason="bad"} 1`,
		"# TYPE skerry_ingest_refused_total counter",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}
