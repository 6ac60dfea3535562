package api

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"skerry/fsm"
)

const (
	// chunk bounds the readings of an answer that are in memory at once. Each
	// chunk is a query of its own, so small ones cost time.
	chunk = 10_000
	// chunkTimeout bounds how long a client may take to accept one chunk.
	chunkTimeout = 30 * time.Second
	// packLimit is the largest SenML answer, in records, as in a request.
	packLimit = 1000
	// nextHeader carries the cursor where the body has no place for it: a
	// header with SenML, a trailer with CSV.
	nextHeader = "Skerry-Next"
)

// source gives an answer piece by piece: at most limit readings, and the
// cursor of what follows them, "" for nothing.
type source func(limit int) (readings []fsm.Reading, next string, err error)

// answer writes up to limit readings of src in a format: json, csv or senml.
func (d *door) answer(w http.ResponseWriter, format string, limit int, src source) error {
	if format == "senml" {
		return d.answerPack(w, min(limit, packLimit), src)
	}
	// The first piece comes before the first byte, so that its errors are
	// problems with a status of their own.
	readings, next, err := src(min(chunk, limit))
	if err != nil {
		return err
	}
	var out rowWriter
	if format == "csv" {
		out = newCSVRows(w)
	} else {
		out = newJSONRows(w)
	}
	if err := out.begin(); err != nil {
		return err
	}
	deadline := http.NewResponseController(w)
	for {
		// Where the connection has no deadlines (in tests) there is no bound.
		_ = deadline.SetWriteDeadline(time.Now().Add(chunkTimeout))
		for i := range readings {
			if err := out.row(&readings[i]); err != nil {
				return err
			}
		}
		limit -= len(readings)
		if next == "" || limit <= 0 {
			return out.end(next)
		}
		if readings, next, err = src(min(chunk, limit)); err != nil {
			return err
		}
	}
}

// answerPack writes one SenML pack.
func (d *door) answerPack(w http.ResponseWriter, limit int, src source) error {
	readings, next, err := src(limit)
	if err != nil {
		return err
	}
	pack, err := d.Packs.Encode(readings)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/senml+json")
	if next != "" {
		w.Header().Set(nextHeader, next)
	}
	_, err = w.Write(pack)
	return err
}

// rowWriter writes readings one by one.
type rowWriter interface {
	begin() error
	row(r *fsm.Reading) error
	end(next string) error
}

// jsonRows writes {"readings":[...],"next":"..."}.
type jsonRows struct {
	w    http.ResponseWriter
	enc  *json.Encoder
	some bool
}

func newJSONRows(w http.ResponseWriter) *jsonRows {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return &jsonRows{w: w, enc: enc}
}

func (j *jsonRows) begin() error {
	_, err := io.WriteString(j.w, `{"readings":[`)
	return err
}

func (j *jsonRows) row(r *fsm.Reading) error {
	if j.some {
		if _, err := io.WriteString(j.w, ","); err != nil {
			return err
		}
	}
	j.some = true
	return j.enc.Encode(rowOf(r))
}

func (j *jsonRows) end(next string) error {
	if _, err := io.WriteString(j.w, `],"next":`); err != nil {
		return err
	}
	if err := j.enc.Encode(next); err != nil {
		return err
	}
	_, err := io.WriteString(j.w, "}\n")
	return err
}

// csvRows writes RFC 4180 with a header line.
type csvRows struct {
	w   http.ResponseWriter
	enc *csv.Writer
}

func newCSVRows(w http.ResponseWriter) *csvRows {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Trailer", nextHeader)
	return &csvRows{w: w, enc: csv.NewWriter(w)}
}

func (c *csvRows) begin() error { return c.enc.Write(columns) }

func (c *csvRows) row(r *fsm.Reading) error { return c.enc.Write(record(r)) }

func (c *csvRows) end(next string) error {
	c.enc.Flush()
	c.w.Header().Set(nextHeader, next)
	return c.enc.Error()
}

// writeJSON answers with one small value.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}
