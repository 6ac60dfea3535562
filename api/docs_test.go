package api_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"skerry/fsm"
)

// documented is a line of the table of routes in docs/api.md.
var documented = regexp.MustCompile("(?m)^\\| `([A-Z]+)` \\| `(/[^`]*)` \\|")

func TestEveryDocumentedRouteExists(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	routes := documented.FindAllStringSubmatch(string(text), -1)
	if len(routes) < 30 {
		t.Fatalf("%d routes are documented, want 30 at least", len(routes))
	}
	d, node := openNode(t, nil)
	node.Of().Wait("level 2", func() bool { return node.Status().Level >= 2 })
	d.stored("", `[{"n":"pump/t","v":1}]`)
	node.MustPropose(&fsm.FrameCommand{Key: fsm.Key{1}, Device: "cam", Resource: "motion", Width: 1, Height: 1, JPEG: []byte{1}})
	fill := strings.NewReplacer("{device}", "pump", "{resource}", "t", "{seq}", "1", "{id}", "none", "{key}", "none")
	for _, r := range routes {
		if r[2] == "/v1/watch" {
			r[1] = http.MethodHead // its answer has no end
		}
		res := d.do(r[1], fill.Replace(r[2]), "", "")
		missing := strings.Contains(string(res.body), "problem:route") && r[2] != "/v1/leave" // this node has no way to leave
		if missing || res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s %s answers %d: %s", r[1], r[2], res.StatusCode, res.body)
		}
	}
}
