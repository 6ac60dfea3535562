package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"skerry/fsm"
)

// door is the handler of all routes.
type door struct {
	Config
	requests *requestMetrics
	watchers chan struct{} // holds one of each open watch
}

// New is the handler of the node's HTTP contract. It fails when cfg lacks
// something or its registry already has the door's collectors.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	requests, err := register(&cfg)
	if err != nil {
		return nil, err
	}
	d := &door{Config: cfg, requests: requests, watchers: make(chan struct{}, maxWatchers)}
	mux := http.NewServeMux()
	for pattern, m := range d.routes() {
		mux.Handle(pattern, d.serve(pattern, m))
	}
	// Without it any page in an operator's browser could post to a node on the
	// same machine. Programs send no Origin and are not touched.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(refuseForeign))
	return guard.Handler(mux), nil
}

func refuseForeign(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, problemf(http.StatusForbidden, "foreign-origin", "a page of %s may not change this site: ask from the node's own address", r.Header.Get("Origin")))
}

// action answers a request or returns an error that has written nothing yet.
type action func(w http.ResponseWriter, r *http.Request) error

// methods are the actions of one route by method; GET answers HEAD as well.
type methods map[string]action

func (d *door) routes() map[string]methods {
	return map[string]methods{
		"/v1/readings":                     {"GET": d.getReadings, "POST": d.postReadings},
		"/v1/readings/{device}/{resource}": {"GET": d.getSeries},
		"/v1/watch":                        {"GET": d.getWatch},
		"/v1/latest":                       {"GET": d.getLatest},
		"/v1/devices":                      {"GET": d.getDevices},
		"/v1/devices/{device}":             {"GET": d.getDevice, "PUT": d.putDevice, "DELETE": d.deleteDevice},
		"/v1/devices/{device}/keys":        {"POST": d.postKey, "DELETE": d.deleteKey},
		"/v1/devices/{device}/keys/{key}":  {"DELETE": d.deleteKey},
		"/v1/devices/{device}/desired":     {"GET": d.getDocument(fsm.Desired), "PUT": d.putDesired, "DELETE": d.deleteDesired},
		"/v1/devices/{device}/reported":    {"GET": d.getDocument(fsm.Reported)},
		"/v1/frames":                       {"GET": d.getFrames},
		"/v1/frames/{seq}":                 {"GET": d.getFrame},
		"/v1/tasks":                        {"GET": d.getTasks, "POST": d.postTask},
		"/v1/tasks/{id}":                   {"GET": d.getTask, "DELETE": d.deleteTask},
		"/v1/cloud":                        {"GET": d.getCloud},
		"/v1/cloud/sync":                   {"POST": d.postSync},
		"/v1/devices/{device}/data":        {"DELETE": d.deleteData},
		"/v1/retention":                    {"GET": d.getRetention, "PUT": d.putRetention},
		"/v1/status":                       {"GET": d.getStatus},
		"/v1/members":                      {"GET": d.getMembers},
		"/v1/snapshot":                     {"GET": d.getSnapshot},
		"/v1/leave":                        {"POST": d.postLeave},
		"/healthz":                         {"GET": d.getHealth},
		"/readyz":                          {"GET": d.getReady},
		"/metrics":                         {"GET": d.getMetrics()},
		"/":                                {"GET": d.getNothing, "POST": d.getNothing, "PUT": d.getNothing, "DELETE": d.getNothing},
	}
}

// serve runs the action of the request's method, writes its error as a problem
// and counts the request under its route.
func (d *door) serve(route string, m methods) http.Handler {
	allowed := make([]string, 0, len(m)+1)
	for method := range m {
		allowed = append(allowed, method)
	}
	if m["GET"] != nil {
		allowed = append(allowed, "HEAD")
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() { d.requests.count(route, r.Method, rec.code(), time.Since(begun)) }()
		act := m[r.Method]
		if r.Method == http.MethodHead {
			act = m["GET"]
		}
		if act == nil {
			rec.Header().Set("Allow", allow)
			writeProblem(rec, problemf(http.StatusMethodNotAllowed, "method", "%s is not for %s: use %s", r.Method, r.URL.Path, allow))
			return
		}
		if !utf8.ValidString(r.URL.Path) {
			writeProblem(rec, problemf(http.StatusBadRequest, "path", "the path %q is not UTF-8: names are", r.URL.Path))
			return
		}
		if err := act(rec, r); err != nil {
			d.fail(rec, r, err)
		}
	})
}

// fail answers with the problem that err is; faults of this node go to its log
// as well, all else is for the client and /metrics alone. An answer that has begun cannot
// be taken back: its connection is cut, so that nobody takes it for whole.
func (d *door) fail(w *recorder, r *http.Request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		d.Logger.Error("request not answered", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, p)
}

// getNothing answers for paths without a route.
func (d *door) getNothing(_ http.ResponseWriter, r *http.Request) error {
	if strings.HasPrefix(r.URL.Path, "/v1/readings/") {
		return problemf(http.StatusNotFound, "route", "a series is /v1/readings/{device}/{resource}: write each '/' inside a device's name as %%2F")
	}
	return problemf(http.StatusNotFound, "route", "there is no %s: see docs/api.md for the routes", r.URL.Path)
}

// recorder remembers the status of an answer; 0 is none yet.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() string {
	if r.status == 0 {
		return "200"
	}
	return fmt.Sprint(r.status)
}
