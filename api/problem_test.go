package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"skerry/cluster"
	"skerry/fsm"
)

func TestEachRefusalHasItsStatus(t *testing.T) {
	for _, c := range []struct {
		code       fsm.Code
		status     int
		kind       string
		retryAfter string
	}{
		{fsm.Conflict, 409, "conflict", ""},
		{fsm.Expired, 504, "unknown-outcome", ""},
		{fsm.WindowFull, 429, "window-full", "10"},
		{fsm.SeriesFull, 503, "series-full", "60"},
		{fsm.NoGenesis, 503, "no-site", "5"},
		{fsm.TooMany, 409, "too-many-tasks", ""},
		{fsm.Precondition, 412, "precondition", ""},
		{fsm.Exists, 409, "exists", ""},
		{fsm.NotFound, 404, "not-found", ""},
		{fsm.Full, 507, "full", ""},
		{fsm.Held, 409, "held", ""},
	} {
		t.Run(fmt.Sprint(c.code.Err()), func(t *testing.T) {
			d := open(t, &stub{outcome: fsm.Outcome{Code: c.code}}, nil)
			res := d.postPack("", `[{"n":"a/b","v":1}]`)
			res.problem(t, c.status, c.kind, c.code.Err().Error())
			if got := res.Header.Get("Retry-After"); got != c.retryAfter {
				t.Errorf("Retry-After = %q, want %q", got, c.retryAfter)
			}
		})
	}
}

func TestEachErrorOfTheSiteHasItsStatus(t *testing.T) {
	for _, c := range []struct {
		err        error
		status     int
		kind       string
		retryAfter string
	}{
		{cluster.ErrNoLeader, 503, "no-leader", "5"},
		{cluster.ErrOverloaded, 429, "overloaded", "1"},
		{cluster.ErrUnknown, 504, "unknown-outcome", ""},
		{cluster.ErrMissing, 503, "missing", "5"},
		{context.DeadlineExceeded, 504, "time-out", ""},
	} {
		t.Run(c.err.Error(), func(t *testing.T) {
			err := fmt.Errorf("wrapped: %w", c.err)
			d := open(t, &stub{proposeErr: err, viewErr: err}, nil)
			for _, res := range []reply{d.postPack("", `[{"n":"a/b","v":1}]`), d.get("/v1/readings/a/b")} {
				res.problem(t, c.status, c.kind, c.err.Error())
				if got := res.Header.Get("Retry-After"); got != c.retryAfter {
					t.Errorf("Retry-After = %q, want %q", got, c.retryAfter)
				}
			}
		})
	}
}

func TestAStoppingNodeDoesNotKnowWhatBecameOfAPack(t *testing.T) {
	d := open(t, &stub{proposeErr: cluster.ErrClosed, viewErr: cluster.ErrClosed}, nil)
	d.postPack("", `[{"n":"a/b","v":1}]`).problem(t, http.StatusGatewayTimeout, "unknown-outcome", "send the same message again")
	d.get("/v1/readings/a/b").problem(t, http.StatusServiceUnavailable, "stopping", "stopping")
}

func TestAFaultOfTheNodeKeepsItsDetailToItself(t *testing.T) {
	d := open(t, &stub{}, nil)
	res := d.get("/v1/readings?consistency=local")
	res.problem(t, http.StatusInternalServerError, "internal", "its log says which")
	if strings.Contains(string(res.body), "sector") {
		t.Errorf("the answer tells the fault: %s", res.body)
	}
}

func TestAPathThatIsNoTextIsRefused(t *testing.T) {
	d := open(t, &stub{}, nil)
	d.get("/v1/devices/%ff").problem(t, 400, "path", `"/v1/devices/\xff" is not UTF-8`)
}

func TestOtherPathsAndMethodsSayWhatThereIs(t *testing.T) {
	d := open(t, &stub{}, nil)
	d.get("/v2").problem(t, http.StatusNotFound, "route", "docs/api.md")
	res := d.do("DELETE", "/v1/readings", "", "")
	res.problem(t, http.StatusMethodNotAllowed, "method", "GET, HEAD, POST")
	if got := res.Header.Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow = %q", got)
	}
	if res := d.do("HEAD", "/healthz", "", ""); res.StatusCode != http.StatusOK || len(res.body) != 0 {
		t.Errorf("HEAD: status %d with %d bytes, want 200 with none", res.StatusCode, len(res.body))
	}
}
