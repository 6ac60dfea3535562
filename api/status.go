package api

import (
	"context"
	"net/http"
	"time"

	"skerry/cluster"
)

// getStatus answers with this node's own view of itself and the site.
func (d *door) getStatus(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	out := struct {
		cluster.Status
		Cloud any `json:"cloud,omitempty"`
	}{Status: d.Site.Status()}
	if d.Cloud != nil {
		out.Cloud = d.Cloud.Status()
	}
	return writeJSON(w, http.StatusOK, out)
}

// getMembers answers with the members this node knows of.
func (d *door) getMembers(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	members := d.Site.Members()
	if members == nil {
		members = []cluster.Member{}
	}
	return writeJSON(w, http.StatusOK, map[string][]cluster.Member{"members": members})
}

// getHealth says that the process answers, and nothing about the site.
func (d *door) getHealth(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// getReady says whether the node has replayed its log and serves.
func (d *door) getReady(w http.ResponseWriter, _ *http.Request) error {
	s := d.Site.Status()
	if !s.Ready {
		p := problemf(http.StatusServiceUnavailable, "not-ready", "this node is %s and has not caught up yet: ask again, or another node", s.State)
		p.retryAfter = 1
		return p
	}
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// leaveTimeout bounds a clean leave: handing the lead over and one change of
// membership.
const leaveTimeout = time.Minute

// postLeave takes this node out of the site and answers when it is out.
func (d *door) postLeave(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	if d.Leave == nil {
		return problemf(http.StatusNotFound, "route", "this node cannot leave by request: stop its process")
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(leaveTimeout + answerTimeout))
	ctx, cancel := context.WithTimeout(r.Context(), leaveTimeout)
	defer cancel()
	if err := d.Leave(ctx); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]string{"left": d.Site.Status().Node})
}
