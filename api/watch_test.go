package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"skerry/fsm"
	"skerry/internal/clustertest"
)

// listener is a client of a watch.
type listener struct {
	tb    testing.TB
	lines *bufio.Scanner
	close context.CancelFunc
}

// event is one as the client sees it.
type event struct{ name, id, data string }

func (d *door) watch(query, lastID string) *listener {
	d.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	d.tb.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/v1/watch"+query, nil)
	if err != nil {
		d.tb.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.tb.Fatal(err)
	}
	d.tb.Cleanup(func() { _ = res.Body.Close() })
	if got := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || got != "text/event-stream" {
		d.tb.Fatalf("status %d, type %q", res.StatusCode, got)
	}
	return &listener{d.tb, bufio.NewScanner(res.Body), cancel}
}

// next is the next event; one without data is a sign of life.
func (l *listener) next() (e event) {
	l.tb.Helper()
	for l.lines.Scan() {
		line := l.lines.Text()
		if line == "" {
			return e
		}
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		}
	}
	l.tb.Fatalf("the watch ended: %v", l.lines.Err())
	return e
}

// seq is that of the next event, which must be a reading.
func (l *listener) seq() int {
	l.tb.Helper()
	e := l.next()
	for e.data == "" {
		e = l.next()
	}
	var r struct{ Seq int }
	if err := json.Unmarshal([]byte(e.data), &r); err != nil || e.name != "" || e.id != fmt.Sprint(r.Seq) {
		l.tb.Fatalf("event %+v (%v), want a reading under its seq", e, err)
	}
	return r.Seq
}

func TestAWatchGivesEveryReadingAndGoesOn(t *testing.T) {
	d, node := openNode(t, nil)
	fill(d, 2500) // more than a chunk
	node.MustPropose(&fsm.CutCommand{})
	old := d.watch("?after=0", "")
	fresh := d.watch("", "")
	if e := fresh.next(); e.id != "2500" || e.data != "" {
		t.Errorf("a watch from now on begins with %+v, want a sign of life at 2500", e)
	}
	for want := 1; want <= 2500; want++ {
		if got := old.seq(); got != want {
			t.Fatalf("seq %d, want %d", got, want)
		}
	}
	for i := range 10 {
		node.MustPropose(clustertest.Reading(t, "lamp", "on", int64(i), 1))
		if i%3 == 0 {
			node.MustPropose(&fsm.CutCommand{})
		}
		if a, b := old.seq(), fresh.seq(); a != 2501+i || b != a {
			t.Fatalf("seqs %d and %d, want %d", a, b, 2501+i)
		}
	}
	// A browser comes back to the same URL with the last id it has.
	if got := d.watch("?after=0", "2505").seq(); got != 2506 {
		t.Errorf("after 2505 comes %d", got)
	}
	if got := d.watch("?after=0&device=la*", "").seq(); got != 2501 {
		t.Errorf("the first of lamp is %d, want 2501", got)
	}
	d.get("/v1/watch?after=x").problem(t, http.StatusBadRequest, "parameter", "seq of a row")
	d.get("/v1/watch?consistency=leader").problem(t, http.StatusBadRequest, "parameter", "no parameter")
}

func TestAWatchSaysWhatIsNoLongerKept(t *testing.T) {
	d, node := openNode(t, nil)
	fill(d, 20)
	node.MustPropose(&fsm.CutCommand{})
	node.Of().Wait("level 2", func() bool { return node.Status().Level >= 2 })
	node.MustPropose(fsm.RetainCommand{Term: node.Status().Term, Stream: fsm.Readings, From: 21, Reason: "a test"})
	for i := range 3 {
		node.MustPropose(clustertest.Reading(t, "lamp", "on", int64(i), 1))
	}
	l := d.watch("?after=5", "")
	e := l.next()
	for e.data == "" {
		e = l.next()
	}
	if e.name != "gap" || e.id != "20" || e.data != `{"first":6,"last":20}` {
		t.Errorf("event %+v, want a gap from 6 to 20", e)
	}
	if got := l.seq(); got != 21 {
		t.Errorf("after the gap comes %d, want 21", got)
	}
}

func TestAWatchThatCannotGoOnSaysFromWhere(t *testing.T) {
	d := open(t, &stub{breaksAfter: 2000}, nil)
	l := d.watch("?after=0", "")
	for want := 1; want <= 2000; want++ {
		if got := l.seq(); got != want {
			t.Fatalf("seq %d, want %d", got, want)
		}
	}
	e := l.next()
	if e.name != "error" || e.id != "2000" || !strings.Contains(e.data, `"after":2000`) || strings.Contains(e.data, "sector") {
		t.Errorf("event %+v, want an error that says to go on after 2000", e)
	}
}

func TestTooManyWatchesAreRefused(t *testing.T) {
	d, _ := openNode(t, nil)
	var open []*listener
	for range 64 {
		open = append(open, d.watch("", ""))
	}
	d.get("/v1/watch").problem(t, http.StatusServiceUnavailable, "busy", "watch another")
	for _, l := range open {
		l.close()
	}
	var res reply
	node := func() bool { res = d.do(http.MethodHead, "/v1/watch", "", ""); return res.StatusCode == http.StatusOK }
	for deadline := time.Now().Add(20 * time.Second); !node(); {
		if time.Now().After(deadline) {
			t.Fatalf("after all have gone: %d", res.StatusCode)
		}
	}
}

func TestAServerThatStopsEndsItsWatches(t *testing.T) {
	d, _ := openNode(t, nil)
	l := d.watch("", "")
	l.next()
	begun := time.Now()
	d.stop()
	for e := l.next(); e.name != "error"; e = l.next() {
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
}
