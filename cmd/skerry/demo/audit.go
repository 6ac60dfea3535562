package demo

import (
	"context"
	"fmt"
	"iter"
	"time"

	"skerry/cloudsync"
	"skerry/cluster"
	"skerry/cmd/skerry/client"
	"skerry/device"
	"skerry/fsm"
)

// pageReadings is how many readings of a history are read at once.
const pageReadings = 10_000

// history reads all that one node holds, page by page.
type history struct {
	client  *client.Client
	upTo    uint64 // seqs above it are left out, 0 for none
	derived int    // readings of the count among those read
	err     error  // why it ended early
}

// readings yields the history in seq order.
func (h *history) readings(ctx context.Context) iter.Seq[fsm.Reading] {
	return func(yield func(fsm.Reading) bool) {
		for after := uint64(0); ; {
			page, err := h.client.After(ctx, after, pageReadings, "local")
			if err != nil {
				h.err = err
				return
			}
			for i := range page.Readings {
				r := page.Readings[i].Reading()
				after = uint64(r.Seq)
				if h.upTo > 0 && after > h.upTo {
					return
				}
				if r.Device == derivedName {
					h.derived++
				}
				if !yield(r) {
					return
				}
			}
			if page.Next == "" || len(page.Readings) == 0 {
				return
			}
		}
	}
}

// audit holds every node's history and the bucket against the ledger.
func (d *demo) audit(ctx context.Context, rest cluster.Status, bucket *cloudsync.Report) (Report, error) {
	sent := d.ledger.Counts()
	r := Report{
		Nodes: len(d.site.Nodes), Acked: sent.Acked, Refused: sent.Refused, Bucket: d.bucket,
		Frames: rest.LastFrame, Digest: rest.Digest, Seconds: time.Since(d.began).Seconds(),
		P50Millis: millis(d.meter.quantile(0.5)), P99Millis: millis(d.meter.quantile(0.99)),
		Damage: len(bucket.Findings),
	}
	for i, n := range d.site.Nodes {
		h := history{client: n.Client()}
		found := d.ledger.Compare(h.readings(ctx))
		if h.err != nil {
			return r, fmt.Errorf("read the history of %s: %w", n.Name, h.err)
		}
		r.add(i == 0, n.Name, &found)
		r.Derived = h.derived
	}
	shipped := uint64(0)
	for _, t := range bucket.Tables {
		if t.Table == fsm.Readings.String() {
			shipped = min(t.Last, rest.SyncedSeq)
		}
	}
	if shipped == 0 {
		return r, nil
	}
	h := history{client: d.site.Nodes[0].Client(), upTo: shipped}
	found := d.ledger.Compare(h.readings(ctx))
	r.Synced = once(&found)
	return r, h.err
}

// once is how many readings of the ledger a history holds, copies left out.
func once(r *device.Report) int64 { return int64(r.Found - r.Duplicates) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
