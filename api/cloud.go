package api

import (
	"context"
	"net/http"
	"time"
)

// syncTimeout bounds POST /v1/cloud/sync: after an outage there is much to
// ship, and the answer says when all of it is there.
const syncTimeout = 10 * time.Minute

func (d *door) cloud() (Cloud, error) {
	if d.Cloud == nil {
		return nil, problemf(http.StatusNotFound, "no-cloud", "this node has no bucket: start it with --cloud URL")
	}
	return d.Cloud, nil
}

// getCloud answers with the state of shipping as this node sees it.
func (d *door) getCloud(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	cloud, err := d.cloud()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, cloud.Status())
}

// postSync answers when the bucket has everything committed so far.
func (d *door) postSync(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	cloud, err := d.cloud()
	if err != nil {
		return err
	}
	// Where the connection has no deadlines (in tests) there is no bound to lift.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(syncTimeout + answerTimeout))
	ctx, cancel := context.WithTimeout(r.Context(), syncTimeout)
	defer cancel()
	done, err := cloud.Sync(ctx)
	if err != nil {
		return syncProblem(err)
	}
	return writeJSON(w, http.StatusOK, done)
}

// syncProblem keeps the text of a bucket's fault, which the operator who asked
// for the sync can act on.
func syncProblem(err error) error {
	if p := problemOf(err); p.Status != http.StatusInternalServerError {
		return p
	}
	p := problemf(http.StatusServiceUnavailable, "bucket", "%s", err)
	p.retryAfter = 10
	return p
}
