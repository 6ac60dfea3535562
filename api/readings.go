package api

import (
	"math"
	"net/http"
	"strconv"

	"skerry/cluster"
	"skerry/fsm"
)

// getSeries answers with one series by time, then seq, or with its windows.
func (d *door) getSeries(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "from", "to", "limit", "cursor", "order", "step", "agg", "consistency", "format")
	ask := cluster.Query{
		Device:     r.PathValue("device"),
		Resource:   r.PathValue("resource"),
		From:       q.time("from", 0),
		To:         q.time("to", math.MaxInt64),
		Cursor:     q.values.Get("cursor"),
		Descending: q.oneOf("order", "asc", "desc") == "desc",
	}
	if ask.From > ask.To {
		q.fail("from is after to: no reading can be between them")
	}
	if q.values.Has("step") {
		return d.getWindows(w, r, q, ask)
	}
	if q.values.Has("agg") {
		q.fail("agg needs step, the length of a window")
	}
	limit, format, consistency := q.limit(), q.oneOf("format", "json", "csv", "jsonl", "senml", "parquet"), q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	return d.readings(w, format, limit, func(limit int) ([]fsm.Reading, string, error) {
		ask.Limit = limit
		page, err := view.Range(r.Context(), ask)
		ask.Cursor = page.Next
		return page.Readings, page.Next, err
	})
}

// getReadings answers with readings after a seq, in seq order. Its cursor is
// the last seq that was looked at.
func (d *door) getReadings(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "after", "device", "resource", "from", "to", "limit", "cursor", "consistency", "format")
	ask := cluster.ScanQuery{
		After: q.seq("cursor", "after"), Filter: q.filter(),
		From: q.time("from", math.MinInt64), To: q.time("to", math.MaxInt64),
	}
	if ask.From > ask.To {
		q.fail("from is after to: no reading can be between them")
	}
	limit := math.MaxInt
	if q.values.Get("limit") != "all" {
		limit = q.limit()
	}
	format, consistency := q.oneOf("format", "json", "csv", "jsonl", "senml", "parquet"), q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	last := view.Last(fsm.Readings)
	scan := view.Scan(ask)
	defer scan.Close()
	return d.readings(w, format, limit, func(limit int) ([]fsm.Reading, string, error) {
		for scan.At() < last {
			readings, err := scan.Next(r.Context(), last, limit)
			if err != nil {
				return nil, "", err
			}
			if len(readings) > 0 {
				return readings, nextSeq(scan.At(), last), nil
			}
		}
		return nil, "", nil
	})
}

// nextSeq is the cursor after a row: "" when it is the last one.
func nextSeq(after, last fsm.Seq) string {
	if after >= last {
		return ""
	}
	return strconv.FormatUint(uint64(after), 10)
}
