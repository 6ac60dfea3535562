package bench

import (
	"fmt"
	"time"
)

// Result is what a run measured. Rates count acknowledged requests; CPU,
// written bytes and RSS are summed over the measured processes and 0 when there
// were none.
type Result struct {
	Clients         int               `json:"clients"`
	Pack            int               `json:"pack"` // readings in a message
	Seconds         float64           `json:"seconds"`
	Requests        uint64            `json:"requests"`
	Readings        uint64            `json:"readings"`
	RequestsPerSec  float64           `json:"requests_per_s"`
	ReadingsPerSec  float64           `json:"readings_per_s"`
	P50Millis       float64           `json:"p50_ms"`
	P99Millis       float64           `json:"p99_ms"`
	P999Millis      float64           `json:"p999_ms"`
	Errors          uint64            `json:"errors"` // refused, reset or unanswered
	Codes           map[string]uint64 `json:"codes"`  // answers by code, as 2.04
	Resets          uint64            `json:"resets"`
	Unanswered      uint64            `json:"unanswered"`
	Retransmits     uint64            `json:"retransmits"`
	CPUPerRequest   float64           `json:"cpu_us_per_request"`
	CPUPerReading   float64           `json:"cpu_us_per_reading"`
	BytesPerReading float64           `json:"bytes_written_per_reading"`
	DeviceBytes     float64           `json:"device_bytes_per_reading"` // by all processes, with the file system's own; 0 where unknown
	RSSBytes        int64             `json:"rss_bytes"`

	Began time.Time `json:"-"` // of the load, warmup included
	Trace []Answer  `json:"-"` // where Config asked for it; in no order
}

// Answer is one acknowledgement: when it came, since Result.Began, and how long
// after the first copy of its request.
type Answer struct{ At, Took time.Duration }

// sum adds the workers' counts up.
func sum(cfg Config, workers []*worker, span time.Duration, used Usage) Result {
	r := Result{
		Clients: cfg.Clients, Pack: max(cfg.Pack, 1), Seconds: span.Seconds(),
		Codes: map[string]uint64{}, RSSBytes: used.RSS,
	}
	var latency Histogram
	for _, w := range workers {
		latency.Merge(&w.counts.latency)
		r.Trace = append(r.Trace, w.answers...)
		r.Resets += w.counts.resets
		r.Unanswered += w.counts.unanswered
		r.Retransmits += w.counts.retransmits
		for code, n := range w.counts.codes {
			if n > 0 {
				r.Codes[fmt.Sprintf("%d.%02d", code>>5, code&31)] += n
			}
			if code != codeChanged {
				r.Errors += n
			} else {
				r.Requests += n
			}
		}
	}
	r.Errors += r.Resets + r.Unanswered
	r.Readings = r.Requests * uint64(r.Pack)
	if r.Seconds > 0 {
		r.RequestsPerSec = float64(r.Requests) / r.Seconds
		r.ReadingsPerSec = float64(r.Readings) / r.Seconds
	}
	r.P50Millis = millis(latency.Quantile(0.50))
	r.P99Millis = millis(latency.Quantile(0.99))
	r.P999Millis = millis(latency.Quantile(0.999))
	if r.Requests > 0 {
		r.CPUPerRequest = float64(used.CPU.Microseconds()) / float64(r.Requests)
		r.CPUPerReading = float64(used.CPU.Microseconds()) / float64(r.Readings)
		r.BytesPerReading = float64(used.Written) / float64(r.Readings)
		r.DeviceBytes = float64(used.Device) / float64(r.Readings)
	}
	return r
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
