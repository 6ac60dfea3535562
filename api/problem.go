package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"skerry/cluster"
	"skerry/fsm"
)

// problem is an error as RFC 9457 writes it. Type is a URN that stays the same
// for one kind of problem; Detail says what to do.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	retryAfter int // seconds, 0 for no advice
}

func (p *problem) Error() string { return p.Detail }

// problemf is a problem of the request itself. kind is the last part of its type.
func problemf(status int, kind, format string, args ...any) *problem {
	return &problem{Type: problemType(kind), Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

func problemType(kind string) string { return "urn:skerry:problem:" + kind }

// problems maps errors to answers; the first match counts. 429 and 503 promise
// that nothing was stored, 504 promises nothing.
var problems = []struct {
	err        error
	status     int
	kind       string
	retryAfter int // seconds
}{
	{fsm.Refusal(fsm.Conflict), http.StatusConflict, "conflict", 0},
	{fsm.Refusal(fsm.Expired), http.StatusGatewayTimeout, "unknown-outcome", 0},
	{fsm.Refusal(fsm.WindowFull), http.StatusTooManyRequests, "window-full", 10},
	{fsm.Refusal(fsm.WrongTerm), http.StatusServiceUnavailable, "no-leader", 1},
	{fsm.Refusal(fsm.NoSuchTask), http.StatusNotFound, "no-such-task", 0},
	{fsm.Refusal(fsm.TaskExists), http.StatusConflict, "task-exists", 0},
	{fsm.Refusal(fsm.StaleRun), http.StatusConflict, "stale-run", 0},
	{fsm.Refusal(fsm.NoGenesis), http.StatusServiceUnavailable, "no-site", 5},
	{fsm.Refusal(fsm.BadRange), http.StatusConflict, "bad-range", 0},
	{fsm.Refusal(fsm.OutputUsed), http.StatusConflict, "output-used", 0},
	{fsm.Refusal(fsm.TooMany), http.StatusConflict, "too-many-tasks", 0},
	{fsm.Refusal(fsm.SeriesFull), http.StatusServiceUnavailable, "series-full", 60},
	{fsm.Refusal(fsm.Precondition), http.StatusPreconditionFailed, "precondition", 0},
	{fsm.Refusal(fsm.Exists), http.StatusConflict, "exists", 0},
	{fsm.Refusal(fsm.NotFound), http.StatusNotFound, "not-found", 0},
	{fsm.Refusal(fsm.Full), http.StatusInsufficientStorage, "full", 0},
	{fsm.Refusal(fsm.Held), http.StatusConflict, "held", 0},
	{cluster.ErrUnknown, http.StatusGatewayTimeout, "unknown-outcome", 0},
	{cluster.ErrOverloaded, http.StatusTooManyRequests, "overloaded", 1},
	{cluster.ErrDiskFull, http.StatusServiceUnavailable, "disk-full", 60},
	{cluster.ErrNoLeader, http.StatusServiceUnavailable, "no-leader", 5},
	{cluster.ErrNotLeader, http.StatusServiceUnavailable, "no-leader", 1},
	{cluster.ErrNoMajority, http.StatusConflict, "no-majority", 0},
	{cluster.ErrCursor, http.StatusBadRequest, "cursor", 0},
	{cluster.ErrDropped, http.StatusServiceUnavailable, "dropped", 1},
	{cluster.ErrLevel, http.StatusServiceUnavailable, "level", 60},
	{cluster.ErrBusy, http.StatusServiceUnavailable, "busy", 10},
	{cluster.ErrMissing, http.StatusServiceUnavailable, "missing", 5},
	{cluster.ErrClosed, http.StatusServiceUnavailable, "stopping", 5},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, "time-out", 0},
	{context.Canceled, statusClientGone, "client-gone", 0},
	{ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large", 0},
}

// statusClientGone counts requests whose client went away; nobody reads it.
const statusClientGone = 499

// problemOf is the answer to an error. Errors outside the table are faults of
// this node: their text goes to its log, not to the client.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, e := range problems {
		if errors.Is(err, e.err) {
			p := problemf(e.status, e.kind, "%s", err)
			if e.status == statusClientGone {
				p.Title = "Client Gone"
			}
			p.retryAfter = e.retryAfter
			return p
		}
	}
	return problemf(http.StatusInternalServerError, "internal", "this node met a fault of its own: its log says which; ask another node meanwhile")
}

func writeProblem(w http.ResponseWriter, p *problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	w.WriteHeader(p.Status)
	// A client that is gone cannot be told more.
	_ = json.NewEncoder(w).Encode(p)
}
