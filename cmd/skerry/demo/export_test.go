package demo

import (
	"io"
	"time"

	"skerry/cluster"
)

// Draw is the screen's text for nodes as they were seen.
func Draw(elapsed, duration time.Duration, statuses []cluster.Status, events ...string) string {
	p := pictureOf(elapsed, duration, statuses)
	for _, text := range events {
		p.events = append(p.events, event{time.Unix(0, 0).UTC(), text})
	}
	return draw(p)
}

// Line is the plain line for the same.
func Line(w io.Writer, elapsed time.Duration, statuses []cluster.Status) {
	(&lines{w: w}).show(pictureOf(elapsed, 0, statuses))
}

// pictureOf takes a status without a name for a node that is down.
func pictureOf(elapsed, duration time.Duration, statuses []cluster.Status) *picture {
	p := &picture{elapsed: elapsed, duration: duration, bucket: "file:///b", traffic: traffic{
		rate: 80.4, p50: 900 * time.Microsecond, p99: 12_345 * time.Microsecond, acked: 960, retried: 2,
	}}
	for i, s := range statuses {
		n := nodeView{name: string([]byte{'n', byte('1' + i)}), http: "127.0.0.1:7480", status: s}
		if s.Node != "" {
			n.pid = 100 + i
		}
		p.nodes = append(p.nodes, n)
	}
	return p
}

// UntilOver is a file that ends when over is called.
func UntilOver(r io.Reader) (file io.Reader, over func()) {
	u := newUntilOver(r)
	return u, func() { u.over.Store(true) }
}

// Journal keeps events for the screen.
func Journal(add ...string) []string {
	j := &journal{}
	for _, text := range add {
		j.add(text)
	}
	var kept []string
	for _, e := range j.events() {
		kept = append(kept, e.text)
	}
	return kept
}
