package faultsite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
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
	if err := s.verifyBucket(ctx, rest[0]); err != nil {
		return device.Report{}, err
	}
	before, err := s.dropped(rest[0])
	if err != nil {
		return device.Report{}, err
	}
	s.Dropped, s.Gone = rest[0].RetainedFrom-1, rest[0].GapReadings
	return s.auditNodes(ctx, l, rest, before)
}

// auditNodes reads the history of every node; before is what the site has
// dropped. A node whose disk was full has let its oldest copies go: what it lacks
// is read from one that has them, which a majority must.
func (s *Site) auditNodes(ctx context.Context, l *load, rest []cluster.Status, before []fsm.Reading) (device.Report, error) {
	whole := slices.IndexFunc(rest, holdsAll)
	if have := len(slices.DeleteFunc(slices.Clone(rest), func(st cluster.Status) bool { return !holdsAll(st) })); have <= len(rest)/2 {
		return device.Report{}, violation("%d of %d nodes hold all that the site keeps", have, len(rest))
	}
	kept := history{node: s.Nodes[whole], last: rest[whole].RetainedFrom - 1}
	before = slices.AppendSeq(before, kept.readings(ctx))
	if kept.err != nil {
		return device.Report{}, violation("the history of %s: %v", kept.node.Name, kept.err)
	}
	var report device.Report
	for i, n := range s.Nodes {
		from := fsm.Seq(max(rest[i].RetainedFrom, rest[i].CopiesFrom))
		h := history{node: n, last: uint64(from) - 1}
		elsewhere, _ := slices.BinarySearchFunc(before, from, func(r fsm.Reading, seq fsm.Seq) int { return cmp.Compare(r.Seq, seq) })
		report = l.ledger.Compare(h.after(ctx, before[:elsewhere]))
		// Readings that only a gap tells of cannot be told apart: so many may lack.
		lost := max(0, report.Lost-int(rest[i].GapReadings))
		switch {
		case h.err != nil:
			return report, violation("the history of %s: %v", n.Name, h.err)
		case lost > 0 || report.Duplicates > 0 || report.Ghosts > 0:
			return report, violation("%s lost %d, has %d twice and %d that were refused: %s", n.Name,
				lost, report.Duplicates, report.Ghosts, strings.Join(report.Details, "; "))
		case h.last != rest[i].LastSeq:
			return report, violation("the history of %s ends at %d, not %d", n.Name, h.last, rest[i].LastSeq)
		}
	}
	return report, nil
}

// holdsAll tells that a node has copies of all that the site keeps.
func holdsAll(st cluster.Status) bool { return st.CopiesFrom <= st.RetainedFrom }

// rest waits until all nodes are whole and have shown the same digest at the
// same index.
func (s *Site) rest(ctx context.Context, d *digests) ([]cluster.Status, error) {
	var at []cluster.Status
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
		at = all
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

// keepDisks copies every node's data directory beside its log, for whoever looks
// for the cause of a violation.
func (s *Site) keepDisks() error {
	var err error
	for _, n := range s.Nodes {
		err = errors.Join(err, os.CopyFS(n.dir+".kept", os.DirFS(n.dir)))
	}
	return err
}
