package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"skerry/fsm"
)

const (
	// chunk bounds the rows of an answer that are in memory at once. Each chunk
	// is a query of its own, so small ones cost time.
	chunk = 10_000
	// chunkTimeout bounds how long a client may take to accept one chunk.
	chunkTimeout = 30 * time.Second
	// packLimit is the largest SenML answer, in records, as in a request.
	packLimit = 1000
	// nextHeader carries the cursor where the body has no place for it: a
	// header with SenML, else a trailer.
	nextHeader = "Skerry-Next"
)

// source gives an answer piece by piece: at most limit rows, and the cursor of
// what follows them, "" for nothing.
type source[T any] func(limit int) (rows []T, next string, err error)

// readings is answer for readings, which have more formats than other rows:
// json, csv, jsonl, senml and parquet.
func (d *door) readings(w http.ResponseWriter, format string, limit int, src source[fsm.Reading]) error {
	switch format {
	case "senml":
		return d.answerPack(w, min(limit, packLimit), src)
	case "parquet":
		return answer(w, newParquetRows(w), limit, src)
	}
	return answer(w, newRows(w, format, readingShape), limit, src)
}

// answer writes up to limit rows of src.
func answer[T any](w http.ResponseWriter, out rowWriter[T], limit int, src source[T]) error {
	// The first piece comes before the first byte, so that its errors are
	// problems with a status of their own.
	rows, next, err := src(min(chunk, limit))
	if err != nil {
		return err
	}
	deadline := http.NewResponseController(w)
	// Where the connection has no deadlines (in tests) there is no bound. That of
	// reading is over with the request.
	_ = deadline.SetReadDeadline(time.Time{})
	_ = deadline.SetWriteDeadline(time.Now().Add(chunkTimeout))
	if err := out.begin(); err != nil {
		return err
	}
	for {
		for i := range rows {
			if err := out.row(&rows[i]); err != nil {
				return err
			}
		}
		limit -= len(rows)
		if next == "" || limit <= 0 {
			return out.end(next)
		}
		if rows, next, err = src(min(chunk, limit)); err != nil {
			return err
		}
		_ = deadline.SetWriteDeadline(time.Now().Add(chunkTimeout))
	}
}

// answerPack writes one SenML pack.
func (d *door) answerPack(w http.ResponseWriter, limit int, src source[fsm.Reading]) error {
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
