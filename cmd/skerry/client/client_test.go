package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"skerry/cmd/skerry/client"
	"skerry/fsm"
)

// connect makes a client of a node that answers with handler.
func connect(tb testing.TB, handler http.HandlerFunc) *client.Client {
	tb.Helper()
	node := httptest.NewServer(handler)
	tb.Cleanup(node.Close)
	c, err := client.New(client.Config{Addr: node.URL})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestNamesGoIntoThePathAsTheyAre(t *testing.T) {
	var got string
	c := connect(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath() + "?" + r.URL.RawQuery
		_, _ = io.WriteString(w, `{"readings":[],"next":""}`)
	})
	for _, name := range []struct{ device, resource, want string }{
		{"hall/3:a b", "lamp%", "hall%2F3:a%20b/lamp%25"},
		{"..", ".", "%2E%2E/%2E"},
	} {
		if _, err := c.Series(t.Context(), name.device, name.resource, url.Values{"limit": {"5"}}); err != nil {
			t.Fatal(err)
		}
		if want := "/v1/readings/" + name.want + "?limit=5"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestReadingsAreReadBackAsTheyWereWritten(t *testing.T) {
	const page = `{"readings":[
		{"seq":1,"device":"d","resource":"a","unit":"Cel","time":"2026-01-31T12:00:00.000001Z","received":"2026-01-31T12:00:01Z","value":0},
		{"seq":2,"device":"d","resource":"b","time":"2026-01-31T12:00:00Z","received":"2026-01-31T12:00:01Z","flag":false},
		{"seq":3,"device":"d","resource":"c","time":"2026-01-31T12:00:00Z","received":"2026-01-31T12:00:01Z","text":""},
		{"seq":4,"device":"d","resource":"e","time":"2026-01-31T12:00:00Z","received":"2026-01-31T12:00:01Z","data":"AQI="}],"next":"4"}`
	c := connect(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	got, err := c.After(t.Context(), 0, 10, "local")
	if err != nil {
		t.Fatal(err)
	}
	want := []fsm.Value{fsm.NumberValue(0), fsm.FlagValue(false), fsm.TextValue(""), fsm.DataValue([]byte{1, 2})}
	printed := []string{"0", "false", "", "AQI="}
	if len(got.Readings) != len(want) || got.Next != "4" {
		t.Fatalf("got %d readings and next %q, want %d and 4", len(got.Readings), got.Next, len(want))
	}
	for i := range got.Readings {
		r := got.Readings[i].Reading()
		if r.Value.Kind != want[i].Kind || r.Value.String() != want[i].String() || r.Seq != fsm.Seq(i+1) {
			t.Errorf("reading %d: got %+v, want value %v", i+1, r, want[i])
		}
		if got := got.Readings[i].Printed(); got != printed[i] {
			t.Errorf("reading %d: printed %q, want %q", i+1, got, printed[i])
		}
	}
	if want := time.Date(2026, 1, 31, 12, 0, 0, 1000, time.UTC).UnixMicro(); got.Readings[0].Reading().Time != want {
		t.Errorf("time: got %d, want %d", got.Readings[0].Reading().Time, want)
	}
}

func TestRefusalsAreToldInTheNodesWords(t *testing.T) {
	tests := []struct {
		name, body, want string
	}{
		{"a problem's detail", `{"type":"urn:x","title":"Not Found","status":404,"detail":"there is no such task"}`, "there is no such task"},
		{"its title without one", `{"title":"Not Found","status":404}`, "Not Found"},
		{"plain text", "gone fishing\n", "gone fishing"},
		{"nothing at all", "", "the node answered 404 Not Found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, tt.body)
			})
			err := c.CancelTask(t.Context(), "x")
			if err == nil || err.Error() != tt.want || client.StatusCode(err) != http.StatusNotFound {
				t.Errorf("got %v with status %d, want %q with 404", err, client.StatusCode(err), tt.want)
			}
		})
	}
}

func TestATaskIsSentAsTheContractWritesIt(t *testing.T) {
	var got map[string]any
	c := connect(t, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s with %q: %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"count-1"}`)
	})
	id, err := c.CreateTask(t.Context(), "", fsm.TaskSpec{Kind: "count", Device: "*"})
	if err != nil || id != "count-1" {
		t.Fatalf("got id %q, %v; want count-1", id, err)
	}
	if _, ok := got["id"]; ok || got["spec"].(map[string]any)["kind"] != "count" {
		t.Errorf("got body %v, want a spec of kind count and no id", got)
	}
}

func TestTheDefaultAddressServesNodesWithAndWithoutTLS(t *testing.T) {
	tokens := make(chan string, 1)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.Header.Get("Authorization")
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(node.Close)
	secure := strings.Replace(node.URL, "http://", "https://", 1)

	either, err := client.New(client.Config{Addr: secure, Either: true, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := either.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-tokens; got != "" {
		t.Errorf("got the token %q in plain HTTP, want none", got)
	}

	strict, err := client.New(client.Config{Addr: secure})
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "--addr "+node.URL) {
		t.Errorf("got %v, want advice to write --addr %s", err, node.URL)
	}
}

func TestATokenIsSent(t *testing.T) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("got %q, want the bearer token", got)
		}
	}))
	t.Cleanup(node.Close)
	c, err := client.New(client.Config{Addr: node.URL, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhereNobodyListensTheErrorSaysSo(t *testing.T) {
	c, err := client.New(client.Config{Addr: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); !errors.Is(err, client.ErrNoNode) {
		t.Errorf("got %v, want %v", err, client.ErrNoNode)
	}
}

func TestFrozenNodeIsNotWaitedForWithoutEnd(t *testing.T) {
	frozen := make(chan struct{})
	node := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-frozen }))
	t.Cleanup(node.Close)
	t.Cleanup(func() { close(frozen) })
	c, err := client.New(client.Config{Addr: node.URL, Patience: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "name another node with --addr") {
		t.Errorf("Status of a frozen node = %v, want what to do", err)
	}
}
