package api

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// windowRow is a window as JSON shows it: one of the four values is set.
type windowRow struct {
	Time  string   `json:"time"` // its start
	Count int      `json:"count"`
	Unit  string   `json:"unit,omitempty"`
	Value *float64 `json:"value,omitempty"`
	Flag  *bool    `json:"flag,omitempty"`
	Text  *string  `json:"text,omitempty"`
	Data  *[]byte  `json:"data,omitempty"` // base64
}

var windowShape = shape[cluster.Window]{
	name: "windows",
	value: func(w *cluster.Window) any {
		r := rowOf(&fsm.Reading{Time: w.Start, Unit: w.Unit, Value: w.Value})
		return windowRow{Time: r.Time, Count: w.Count, Unit: r.Unit, Value: r.Value, Flag: r.Flag, Text: r.Text, Data: r.Data}
	},
	columns: append([]string{"time", "count", "unit"}, valueColumns...),
	record: func(w *cluster.Window) []string {
		out := []string{formatTime(w.Start), strconv.Itoa(w.Count), w.Unit}
		return append(out, valueCells(w.Value)...)
	},
}

// step reads the length of a window, in microseconds: as Go writes durations, or
// in seconds.
func (q *query) step() int64 {
	s := q.values.Get("step")
	step, err := time.ParseDuration(s)
	if seconds, errSeconds := strconv.ParseFloat(s, 64); errSeconds == nil && seconds >= 0 && seconds <= cluster.MaxStep/1e6 {
		step, err = time.Duration(seconds*1e6)*time.Microsecond, nil
	}
	micros := step.Microseconds()
	if err != nil || micros < cluster.MinStep || micros > cluster.MaxStep {
		q.fail("step is %q: give the length of a window as 30s, 5m, 24h or in seconds, 1ms to 366 days", s)
	}
	return micros
}

// aggregate reads what becomes of a window's readings.
func (q *query) aggregate() cluster.Aggregate {
	return cluster.Aggregate(slices.Index(cluster.Aggregates, q.oneOf("agg", cluster.Aggregates...)))
}

// getWindows answers with one row for each window of a series, by time.
func (d *door) getWindows(w http.ResponseWriter, r *http.Request, q *query, ask cluster.Query) error {
	window := cluster.WindowQuery{
		Device: ask.Device, Resource: ask.Resource, From: ask.From, To: ask.To, Cursor: ask.Cursor,
		Step: q.step(), Aggregate: q.aggregate(),
	}
	limit, format, consistency := q.limit(), q.oneOf("format", "json", "csv", "jsonl"), q.consistency()
	if ask.Descending {
		q.fail("windows come by time: leave order out")
	}
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	return answer(w, newRows(w, format, windowShape), limit, func(limit int) ([]cluster.Window, string, error) {
		window.Limit = limit
		page, err := view.Windows(r.Context(), window)
		window.Cursor = page.Next
		return page.Windows, page.Next, err
	})
}

// filter reads the patterns by which series are picked.
func (q *query) filter() fsm.Filter {
	f, err := fsm.NewFilter(q.values.Get("device"), q.values.Get("resource"))
	if err != nil {
		q.fail("%s", strings.TrimSpace(err.Error()))
	}
	return f
}

// getLatest answers with the latest reading of each series, by device, then
// resource.
func (d *door) getLatest(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "device", "resource", "limit", "cursor", "consistency", "format")
	ask := cluster.LatestQuery{Filter: q.filter(), Cursor: q.values.Get("cursor")}
	limit, format, consistency := q.limit(), q.oneOf("format", "json", "csv", "jsonl", "senml"), q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	return d.readings(w, format, limit, func(limit int) ([]fsm.Reading, string, error) {
		ask.Limit = limit
		page, err := view.LatestPage(ask)
		ask.Cursor = page.Next
		return page.Readings, page.Next, err
	})
}
