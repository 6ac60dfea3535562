package api

import (
	"net/http"
	"time"
)

// getSnapshot answers with a file of the whole site. One that broke off has no
// end: whoever reads it finds that out.
func (d *door) getSnapshot(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	if d.Save == nil {
		return problemf(http.StatusNotFound, "route", "this node writes no snapshot files")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	return d.Save(r.Context(), patientWriter{w, http.NewResponseController(w)})
}

// patientWriter gives the client time for each piece, not for the whole.
type patientWriter struct {
	w        http.ResponseWriter
	deadline *http.ResponseController
}

func (p patientWriter) Write(b []byte) (int, error) {
	// Where the connection has no deadlines (in tests) there is no bound.
	_ = p.deadline.SetWriteDeadline(time.Now().Add(chunkTimeout))
	return p.w.Write(b)
}
