package faultsite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"skerry/cloudsync"
	"skerry/cluster"
	"skerry/device"
	"skerry/fsm"
)

// ErrViolation: the site broke what it promises.
var ErrViolation = errors.New("violation")

func violation(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrViolation, fmt.Sprintf(format, args...))
}

const (
	// restTimeout is how long a site without load may take until all nodes have
	// the same, whole history.
	restTimeout = 2 * time.Minute
	shipTimeout = 2 * time.Minute
	pageLimit   = 20_000
	// keptDigests bounds the indexes at which a digest is remembered.
	keptDigests = 100_000
)

// digests are what nodes printed, by index.
type digests struct {
	mu   sync.Mutex
	said map[string]spoken
	err  error
}

type spoken struct{ node, digest string }

// note compares a node's digest with what others printed at the same index.
func (d *digests) note(st cluster.Status) error {
	index, digest, ok := strings.Cut(st.Digest, ":")
	d.mu.Lock()
	defer d.mu.Unlock()
	if !ok || d.err != nil {
		return d.err
	}
	if d.said == nil || len(d.said) >= keptDigests {
		d.said = map[string]spoken{}
	}
	before, known := d.said[index]
	if known && before.digest != digest {
		d.err = violation("at index %s %s has digest %s and %s has %s", index, before.node, before.digest, st.Node, digest)
	}
	if !known {
		d.said[index] = spoken{st.Node, digest}
	}
	return d.err
}

// watch compares digests until ctx is done.
func (d *digests) watch(ctx context.Context, s *Site) {
	for ctx.Err() == nil {
		for _, n := range s.Nodes {
			if st, err := n.Status(ctx); err == nil {
				_ = d.note(st) // the audit returns it
			}
		}
		time.Sleep(2 * pollEvery)
	}
}

// audit holds the site, which is at rest, against what its devices know.
func (s *Site) audit(ctx context.Context, l *load, d *digests) (device.Report, error) {
	if err := s.WaitReady(ctx); err != nil {
		return device.Report{}, violation("a node does not come up: %v", err)
	}
	if err := s.ship(ctx); err != nil {
		return device.Report{}, violation("the bucket takes nothing: %v", err)
	}
	rest, err := s.rest(ctx, d)
	if err != nil {
		return device.Report{}, err
	}
	var report device.Report
	for _, n := range s.Nodes {
		h := history{node: n}
		report = l.ledger.Compare(h.readings(ctx))
		switch {
		case h.err != nil:
			return report, violation("the history of %s: %v", n.Name, h.err)
		case !report.OK():
			return report, violation("%s lost %d, has %d twice and %d that were refused: %s", n.Name,
				report.Lost, report.Duplicates, report.Ghosts, strings.Join(report.Details, "; "))
		case h.last != rest.LastSeq:
			return report, violation("the history of %s ends at %d, not %d", n.Name, h.last, rest.LastSeq)
		}
	}
	return report, s.verifyBucket(ctx, rest)
}

// rest waits until all nodes are whole and have shown the same digest at the
// same index.
func (s *Site) rest(ctx context.Context, d *digests) (cluster.Status, error) {
	var at cluster.Status
	err := until(ctx, restTimeout, func() error {
		all, err := s.agreed(ctx, s.Nodes)
		if err != nil {
			return err
		}
		for _, st := range all {
			if err := d.note(st); err != nil {
				return err
			}
			if st.Missing > 0 || st.AppliedIndex != all[0].AppliedIndex {
				return fmt.Errorf("%s has applied %d of %d and lacks %d ranges", st.Node, st.AppliedIndex, all[0].AppliedIndex, st.Missing)
			}
		}
		at = all[0]
		return nil
	})
	if err != nil && !errors.Is(err, ErrViolation) {
		err = violation("the nodes do not come to one state: %v", err)
	}
	return at, err
}

// ship has the leader put everything into the bucket.
func (s *Site) ship(ctx context.Context) error {
	return until(ctx, shipTimeout, func() error {
		ctx, cancel := context.WithTimeout(ctx, shipTimeout)
		defer cancel()
		return s.Nodes[0].ask(ctx, http.MethodPost, "/v1/cloud/sync", nil)
	})
}

// verifyBucket walks the bucket and compares its end with the site's.
func (s *Site) verifyBucket(ctx context.Context, rest cluster.Status) error {
	r, err := cloudsync.Verify(ctx, "file://"+s.Bucket, siteName)
	if err != nil {
		return violation("the bucket: %v", err)
	}
	if !r.OK() {
		return violation("the bucket: %v", r.Findings)
	}
	for _, t := range r.Tables {
		if t.Table == fsm.Readings.String() && t.Last != rest.LastSeq {
			return violation("the bucket ends at %d, the site at %d", t.Last, rest.LastSeq)
		}
	}
	return nil
}

// history reads all that one node holds.
type history struct {
	node *Node
	last uint64 // seq
	err  error  // why it ended early
}

// page is an answer of /v1/readings.
type page struct {
	Readings []struct {
		Seq      uint64    `json:"seq"`
		Device   string    `json:"device"`
		Resource string    `json:"resource"`
		Unit     string    `json:"unit"`
		Time     time.Time `json:"time"`
		Value    *float64  `json:"value"`
		Text     *string   `json:"text"`
	} `json:"readings"`
	Next string `json:"next"`
}

// readings yields the history in seq order and stops at a hole.
func (h *history) readings(ctx context.Context) iter.Seq[fsm.Reading] {
	return func(yield func(fsm.Reading) bool) {
		for {
			var p page
			query := url.Values{"after": {fmt.Sprint(h.last)}, "limit": {fmt.Sprint(pageLimit)}, "consistency": {"local"}}
			if h.err = h.node.get(ctx, "/v1/readings?"+query.Encode(), &p); h.err != nil {
				return
			}
			for _, r := range p.Readings {
				if r.Seq != h.last+1 {
					h.err = violation("%d follows %d", r.Seq, h.last)
					return
				}
				h.last = r.Seq
				out := fsm.Reading{Seq: fsm.Seq(r.Seq), Device: r.Device, Resource: r.Resource, Unit: r.Unit, Time: r.Time.UnixMicro()}
				switch {
				case r.Value != nil:
					out.Value = fsm.NumberValue(*r.Value)
				case r.Text != nil:
					out.Value = fsm.TextValue(*r.Text)
				}
				if !yield(out) {
					return
				}
			}
			if p.Next == "" || len(p.Readings) == 0 {
				return
			}
		}
	}
}

// keepDisks copies every node's data directory beside its log, for whoever looks
// for the cause of a violation.
func (s *Site) keepDisks() error {
	var err error
	for _, n := range s.Nodes {
		err = errors.Join(err, os.CopyFS(n.dir+".kept", os.DirFS(n.dir)))
	}
	return err
}
