package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

const (
	// maxWatchers bounds the open watches of a node.
	maxWatchers = 64
	// watchChunk bounds the readings of a watch that are in memory at once.
	watchChunk = 1000
	// watchBytes bounds what is encoded of them before it is sent, but for one.
	watchBytes = 256 << 10
	// heartbeat is how often a watch that has nothing to say shows that it lives.
	heartbeat = 15 * time.Second
)

// getWatch answers with every reading after a seq that this node has applied,
// in seq order, for as long as the client listens, as server-sent events. It
// keeps no queue: each watch reads the history at its client's pace, and one
// whose client takes nothing for chunkTimeout is cut. The client goes on from the
// id of the last event it has.
func (d *door) getWatch(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "after", "device", "resource")
	ask := cluster.ScanQuery{Filter: q.filter(), From: math.MinInt64, To: math.MaxInt64}
	after, given := q.watchFrom(r)
	if err := q.err(); err != nil {
		return err
	}
	select {
	case d.watchers <- struct{}{}:
		defer func() { <-d.watchers }()
	default:
		p := problemf(http.StatusServiceUnavailable, "busy", "%d watch this node already: watch another, or try again later", maxWatchers)
		p.retryAfter = 10
		return p
	}
	view, err := d.view(r.Context(), cluster.Local)
	if err != nil {
		return err
	}
	if ask.After = after; !given {
		ask.After = view.Last(fsm.Readings)
	}
	scan := view.Scan(ask)
	defer scan.Close()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	out := &eventStream{w: w, control: http.NewResponseController(w)}
	// A watch outlives the time a request may take to arrive. Where the
	// connection has no deadlines (in tests) there is none.
	_ = out.control.SetReadDeadline(time.Time{})
	return watch(r.Context(), view, scan, out)
}

// watchFrom is the seq before the first reading of a watch; given is false
// where it begins with the next reading. A browser that comes back names the
// last event it has, in the same URL.
func (q *query) watchFrom(r *http.Request) (after fsm.Seq, given bool) {
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		return q.seq("after"), q.values.Get("after") != ""
	}
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		q.fail("Last-Event-ID is %q: give the id of an event", id)
	}
	return fsm.Seq(n), true
}

// watch writes what scan finds until the client or the server goes.
func watch(ctx context.Context, view View, scan Scanner, out *eventStream) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	if err := out.beat(scan.At()); err != nil {
		return err
	}
	for {
		changed := view.Applied() // before looking at what there is
		for last := view.Last(fsm.Readings); scan.At() < last; {
			readings, err := scan.Next(ctx, last, watchChunk)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return out.fail(problemOf(err), scan.At())
			}
			if err := out.news(scan.Skipped(), readings); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-beat.C:
			if err := out.beat(scan.At()); err != nil {
				return err
			}
		case <-stopping(ctx):
			return out.fail(problemOf(cluster.ErrClosed), scan.At())
		case <-ctx.Done():
			return nil
		}
	}
}

// eventStream writes server-sent events (WHATWG HTML, section 9.2). The id of
// each is the seq up to which the client has all it asked for.
type eventStream struct {
	w       io.Writer
	control *http.ResponseController
	buf     bytes.Buffer
}

// news writes readings after those that are no longer kept, if any.
func (e *eventStream) news(skipped fsm.Interval, readings []fsm.Reading) error {
	if skipped.First > 0 {
		if err := e.event("gap", skipped.Last, map[string]fsm.Seq{"first": skipped.First, "last": skipped.Last}); err != nil {
			return err
		}
	}
	for i := range readings {
		if err := e.event("", readings[i].Seq, rowOf(&readings[i])); err != nil {
			return err
		}
		if e.buf.Len() >= watchBytes {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return e.flush()
}

// beat tells how far the watch is. It is no event to a client, which notes the id.
func (e *eventStream) beat(at fsm.Seq) error {
	e.buf.WriteString(": here\nid: " + strconv.FormatUint(uint64(at), 10) + "\n\n")
	return e.flush()
}

// fail writes the last event: why the watch ends, and from where to go on.
func (e *eventStream) fail(p *problem, at fsm.Seq) error {
	err := e.event("error", at, struct {
		*problem
		After fsm.Seq `json:"after"`
	}{p, at})
	if err != nil {
		return err
	}
	return e.flush()
}

// event puts an event into the buffer.
func (e *eventStream) event(name string, id fsm.Seq, v any) error {
	if name != "" {
		e.buf.WriteString("event: " + name + "\n")
	}
	e.buf.WriteString("id: " + strconv.FormatUint(uint64(id), 10) + "\ndata: ")
	enc := json.NewEncoder(&e.buf) // ends with a line feed, and has none inside
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	e.buf.WriteByte('\n')
	return nil
}

// flush sends the buffer. A client that does not take it in time is cut.
func (e *eventStream) flush() error {
	if e.buf.Len() == 0 {
		return nil
	}
	_ = e.control.SetWriteDeadline(time.Now().Add(chunkTimeout))
	_, err := e.w.Write(e.buf.Bytes())
	if e.buf.Reset(); e.buf.Cap() > 2*watchBytes {
		e.buf = bytes.Buffer{} // it held a large value
	}
	if err != nil {
		return err
	}
	return e.control.Flush()
}
