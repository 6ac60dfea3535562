package api

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"skerry/cluster"
)

// Sample is one figure of another room. Name is without the prefix "skerry_",
// in Prometheus' form; Counter is set where it only grows while the process
// lives. Label, where given, is Name's one label and its value.
type Sample struct {
	Name    string
	Help    string
	Counter bool
	Label   [2]string
	Value   float64
}

// requestMetrics counts the door's own requests.
type requestMetrics struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// register adds the door's collectors to the registry.
func register(cfg *Config) (*requestMetrics, error) {
	m := &requestMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "skerry_http_requests_total", Help: "HTTP requests answered, by route, method and status.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "skerry_http_request_seconds", Help: "Time to answer an HTTP request, by route.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2, 10, 30},
		}, []string{"route"}),
	}
	for _, c := range []prometheus.Collector{m.total, m.seconds, selfCollector{cfg.Site}, sampleCollector(cfg.Samples)} {
		if err := cfg.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// count counts a request. The methods that exist are few, whatever a client
// sends.
func (m *requestMetrics) count(route, method, code string, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		method = "other"
	}
	m.total.WithLabelValues(route, method, code).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (d *door) getMetrics() action {
	h := promhttp.HandlerFor(d.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// selfCollector shows the node's own status, read at each scrape.
type selfCollector struct{ self Self }

// gauge is one figure of a status.
type gauge struct {
	desc *prometheus.Desc
	of   func(*cluster.Status) float64
}

func newGauge(name, help string, of func(*cluster.Status) float64) gauge {
	return gauge{prometheus.NewDesc("skerry_"+name, help, nil, nil), of}
}

var gauges = []gauge{
	newGauge("raft_term", "Raft term.", func(s *cluster.Status) float64 { return float64(s.Term) }),
	newGauge("raft_commit_index", "Raft commit index.", func(s *cluster.Status) float64 { return float64(s.CommitIndex) }),
	newGauge("raft_applied_index", "Raft index applied last.", func(s *cluster.Status) float64 { return float64(s.AppliedIndex) }),
	newGauge("leads", "1 where this node leads the site.", func(s *cluster.Status) float64 { return oneIf(s.State == "leader") }),
	newGauge("has_leader", "1 where this node knows a leader.", func(s *cluster.Status) float64 { return oneIf(s.Leader != "") }),
	newGauge("ready", "1 where this node has replayed and serves.", func(s *cluster.Status) float64 { return oneIf(s.Ready) }),
	newGauge("clock_known", "1 where this node's clock was set.", func(s *cluster.Status) float64 { return oneIf(s.Clock != "unknown") }),
	newGauge("clock_off_seconds", "Seconds that this node's clock is ahead of the voters' median.", func(s *cluster.Status) float64 { return s.ClockOff }),
	newGauge("level", "What the site may use; it rises when all nodes know the next.", func(s *cluster.Status) float64 { return float64(s.Level) }),
	newGauge("last_seq", "Seq of the last reading.", func(s *cluster.Status) float64 { return float64(s.LastSeq) }),
	newGauge("last_frame", "Seq of the last frame.", func(s *cluster.Status) float64 { return float64(s.LastFrame) }),
	newGauge("head_readings", "Readings not yet cut.", func(s *cluster.Status) float64 { return float64(s.HeadReadings) }),
	newGauge("cuts", "Closed ranges of readings.", func(s *cluster.Status) float64 { return float64(s.Cuts) }),
	newGauge("log_bytes", "Bytes of log since the last snapshot, which a start replays.", func(s *cluster.Status) float64 { return float64(s.LogBytes) }),
	newGauge("missing_cuts", "Cuts whose rows this node still fetches.", func(s *cluster.Status) float64 { return float64(s.Missing) }),
	newGauge("scrub_bytes", "Bytes that were read again to find rot, since the start.", func(s *cluster.Status) float64 { return float64(s.Scrub.Bytes) }),
	newGauge("scrub_rounds", "Rounds in which everything was read again, since the start.", func(s *cluster.Status) float64 { return float64(s.Scrub.Rounds) }),
	newGauge("scrub_found", "Files, frames, snapshots and entries of the log that were not what was written, since the start.", func(s *cluster.Status) float64 { return float64(s.Scrub.Found) }),
	newGauge("scrub_repaired", "How many of those are right again, since the start.", func(s *cluster.Status) float64 { return float64(s.Scrub.Rot.Repaired()) }),
	newGauge("files_fetched", "Files of history that came from other nodes, since the start.", func(s *cluster.Status) float64 { return float64(s.Scrub.Fetched) }),
	newGauge("files_merged", "Small files of history that became parts of larger ones, since the start.", func(s *cluster.Status) float64 { return float64(s.Scrub.Merged) }),
	newGauge("synced_seq", "Readings up to this seq are in the bucket.", func(s *cluster.Status) float64 { return float64(s.SyncedSeq) }),
	newGauge("backlog_readings", "Readings that the bucket does not have yet.", func(s *cluster.Status) float64 { return float64(s.LastSeq) - float64(s.SyncedSeq) }),
	newGauge("gaps", "Gaps: ranges of readings and frames dropped on purpose that the bucket lacks.", func(s *cluster.Status) float64 { return float64(s.Gaps) }),
	newGauge("gap_readings", "Readings that gaps count.", func(s *cluster.Status) float64 { return float64(s.GapReadings) }),
	newGauge("gap_frames", "Frames that gaps count.", func(s *cluster.Status) float64 { return float64(s.GapFrames) }),
	newGauge("retained_from_seq", "First reading that the site has not dropped.", func(s *cluster.Status) float64 { return float64(s.RetainedFrom) }),
	newGauge("retained_from_frame", "First frame that the site has not dropped.", func(s *cluster.Status) float64 { return float64(s.RetainedFrame) }),
	newGauge("disk_free_bytes", "Bytes that are free on the disk.", func(s *cluster.Status) float64 { return float64(s.Disk.Free) }),
	newGauge("disk_total_bytes", "Bytes of the disk.", func(s *cluster.Status) float64 { return float64(s.Disk.Total) }),
	newGauge("disk_state", "0 where the disk has room, 1 where it is short of it, 2 where it is full.", func(s *cluster.Status) float64 {
		return float64(slices.Index([]string{"ok", "short", "full"}, s.Disk.State))
	}),
	newGauge("disk_reserve_held", "1 where the reserve for the log and for snapshots is held.", func(s *cluster.Status) float64 { return oneIf(s.Disk.ReserveHeld) }),
	newGauge("disk_readings_bytes", "Bytes of the files of readings.", func(s *cluster.Status) float64 { return float64(s.Disk.Readings) }),
	newGauge("disk_frames_bytes", "Bytes of the files of frames.", func(s *cluster.Status) float64 { return float64(s.Disk.Frames) }),
	newGauge("disk_days_until_full", "Days until the disk is full, by the growth of the last hours; NaN while that is unknown.", func(s *cluster.Status) float64 {
		if s.Disk.DaysUntilFull == nil {
			return math.NaN()
		}
		return *s.Disk.DaysUntilFull
	}),
	newGauge("diverged", "1 while the nodes' states differ and no majority has the same one: nothing is shipped.", func(s *cluster.Status) float64 { return oneIf(s.Alarm != "") }),
	newGauge("refuses_readings", "1 at a leader that refuses readings because no majority of the nodes has room.", func(s *cluster.Status) float64 { return oneIf(s.Refusing) }),
	newGauge("erasing", "Devices whose erased rows may still lie in a file.", func(s *cluster.Status) float64 { return float64(s.Erasing) }),
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var (
	membersDesc = prometheus.NewDesc("skerry_members", "Members this node knows of, by role and whether gossip sees them alive.", []string{"role", "alive"}, nil)
	buildDesc   = prometheus.NewDesc("skerry_build_info", "Always 1; the labels say what runs here.", []string{"version", "node", "site"}, nil)
)

func (c selfCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range gauges {
		ch <- g.desc
	}
	ch <- membersDesc
	ch <- buildDesc
}

func (c selfCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.self.Status()
	for _, g := range gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.of(&s))
	}
	ch <- prometheus.MustNewConstMetric(buildDesc, prometheus.GaugeValue, 1, s.Version, s.Node, s.Site)
	type kind struct {
		role  string
		alive bool
	}
	count := make(map[kind]int)
	for _, m := range c.self.Members() {
		count[kind{m.Role, m.Alive}]++
	}
	for k, n := range count {
		ch <- prometheus.MustNewConstMetric(membersDesc, prometheus.GaugeValue, float64(n), k.role, fmt.Sprint(k.alive))
	}
}

// sampleCollector shows the figures of other rooms. It describes nothing: what
// they have is known when they are asked.
type sampleCollector []func() []Sample

func (sampleCollector) Describe(chan<- *prometheus.Desc) {}

func (c sampleCollector) Collect(ch chan<- prometheus.Metric) {
	for _, samples := range c {
		for _, s := range samples() {
			ch <- s.metric()
		}
	}
}

func (s *Sample) metric() prometheus.Metric {
	kind := prometheus.GaugeValue
	if s.Counter {
		kind = prometheus.CounterValue
	}
	var names, values []string
	if s.Label[0] != "" {
		names, values = []string{s.Label[0]}, []string{s.Label[1]}
	}
	desc := prometheus.NewDesc("skerry_"+s.Name, s.Help, names, nil)
	m, err := prometheus.NewConstMetric(desc, kind, s.Value, values...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, errors.Join(fmt.Errorf("sample %s", s.Name), err))
	}
	return m
}
