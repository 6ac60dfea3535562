package api

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// Bounds of an answer, in rows.
const (
	defaultLimit = 1000
	maxLimit     = cluster.MaxLimit
)

// answerTimeout bounds the wait for a view or for an outcome.
const answerTimeout = 30 * time.Second

// appliedWithin bounds the wait for this node to have applied a decision.
const appliedWithin = 3 * time.Second

// query reads the parameters of a request. The first fault is kept; a name
// that no parameter has is one, so that a typing error is not taken for "all".
type query struct {
	values url.Values
	fault  *problem
}

// parseQuery takes the parameters of r, which must be among known.
func parseQuery(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.fail("the query of the URL cannot be read: %s", err)
	}
	for name, all := range values {
		switch {
		case !slices.Contains(known, name):
			q.fail("there is no parameter %q here: %s", name, listed(known))
		case len(all) > 1:
			q.fail("parameter %q is given %d times: give it once", name, len(all))
		}
	}
	return q
}

func listed(known []string) string {
	if len(known) == 0 {
		return "this route has none"
	}
	return "use " + strings.Join(known, ", ")
}

func (q *query) fail(format string, args ...any) {
	if q.fault == nil {
		q.fault = problemf(http.StatusBadRequest, "parameter", format, args...)
	}
}

// err is the first fault, as an error.
func (q *query) err() error {
	if q.fault == nil {
		return nil
	}
	return q.fault
}

func (q *query) limit() int {
	s := q.values.Get("limit")
	if s == "" {
		return defaultLimit
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		q.fail("limit is %q: give a number from 1 to %d", s, maxLimit)
	}
	return n
}

// seq reads the first of names that is given, 0 for none.
func (q *query) seq(names ...string) fsm.Seq {
	for _, name := range names {
		s := q.values.Get(name)
		if s == "" {
			continue
		}
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			q.fail("%s is %q: give the seq of a row, or 0", name, s)
		}
		return fsm.Seq(n)
	}
	return 0
}

// time reads a moment in microseconds since 1970, RFC 3339 or Unix seconds.
func (q *query) time(name string, otherwise int64) int64 {
	s := q.values.Get(name)
	if s == "" {
		return otherwise
	}
	// An unescaped '+' of a zone offset arrives as a space.
	if t, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "+", 1)); err == nil {
		return t.UnixMicro()
	}
	f, err := strconv.ParseFloat(s, 64)
	// Beyond 2^53 microseconds a float64 no longer tells them apart.
	if err != nil || !(math.Abs(f) <= 1<<53/1e6) {
		q.fail("%s is %q: give RFC 3339 as 2026-11-21T08:00:00Z, or Unix seconds", name, s)
		return 0
	}
	return int64(math.Round(f * 1e6))
}

func (q *query) consistency() cluster.Consistency {
	s := q.values.Get("consistency")
	if s == "" {
		return cluster.Linearizable
	}
	c, err := cluster.ParseConsistency(s)
	if err != nil {
		q.fail("%s", err)
	}
	return c
}

// oneOf reads a word; the first of words is the default.
func (q *query) oneOf(name string, words ...string) string {
	s := q.values.Get(name)
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, s) {
		q.fail("%s is %q: use one of %s", name, s, strings.Join(words, ", "))
	}
	return s
}

// view waits for a view that keeps what c promises.
func (d *door) view(ctx context.Context, c cluster.Consistency) (View, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return d.Site.View(ctx, c)
}
