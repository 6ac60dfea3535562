package api

import (
	"math"
	"net/http"
	"strconv"

	"skerry/cluster"
	"skerry/fsm"
)

// getSeries answers with one series by time, then seq.
func (d *door) getSeries(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "from", "to", "limit", "cursor", "consistency", "format")
	ask := cluster.Query{
		Device:   r.PathValue("device"),
		Resource: r.PathValue("resource"),
		From:     q.time("from", 0),
		To:       q.time("to", math.MaxInt64),
		Cursor:   q.values.Get("cursor"),
	}
	limit, format, consistency := q.limit(), q.oneOf("format", "json", "csv", "senml"), q.consistency()
	if ask.From > ask.To {
		q.fail("from is after to: no reading can be between them")
	}
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	return d.answer(w, format, limit, func(limit int) ([]fsm.Reading, string, error) {
		ask.Limit = limit
		page, err := view.Range(r.Context(), ask)
		if err != nil {
			return nil, "", err
		}
		ask.Cursor = page.Next
		return page.Readings, page.Next, nil
	})
}

// getReadings answers with all readings after a seq, in seq order. Its cursor
// is the last seq given.
func (d *door) getReadings(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "after", "limit", "cursor", "consistency", "format")
	after, limit := q.seq("cursor", "after"), q.limit()
	format, consistency := q.oneOf("format", "json", "csv", "senml"), q.consistency()
	if err := q.err(); err != nil {
		return err
	}
	view, err := d.view(r.Context(), consistency)
	if err != nil {
		return err
	}
	return d.answer(w, format, limit, func(limit int) ([]fsm.Reading, string, error) {
		readings, err := view.After(r.Context(), after, limit)
		if err != nil || len(readings) == 0 {
			return nil, "", err
		}
		after = readings[len(readings)-1].Seq
		return readings, nextSeq(after, view.Last(fsm.Readings)), nil
	})
}

// nextSeq is the cursor after a row: "" when it is the last one.
func nextSeq(after, last fsm.Seq) string {
	if after >= last {
		return ""
	}
	return strconv.FormatUint(uint64(after), 10)
}
