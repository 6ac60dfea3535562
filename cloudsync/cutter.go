package cloudsync

import (
	"context"
	"log/slog"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// Ages says when open rows are closed because of their age. Closing by size and
// date is part of applying.
type Ages struct {
	Rows   uint64        // that many rows wait ...
	Soon   time.Duration // ... at most so long,
	Latest time.Duration // and fewer so long
}

// DefaultAges closes 10,000 rows after a minute and any row after a quarter of
// an hour.
func DefaultAges() Ages {
	return Ages{Rows: 10_000, Soon: time.Minute, Latest: 15 * time.Minute}
}

// Cutter closes open readings and frames by their age.
type Cutter struct {
	ages Ages
	node Node
	log  *slog.Logger
}

// NewCutter returns the cutter of a node.
func NewCutter(ages Ages, node Node, log *slog.Logger) *Cutter {
	return &Cutter{ages: ages, node: node, log: log}
}

// Duty closes rows while this node leads. It is a cluster.Duty.
func (c *Cutter) Duty(ctx context.Context, lead *cluster.Lead) { c.Lead(ctx, lead) }

// Lead is Duty with the term's part by itself. It returns when ctx is done.
func (c *Cutter) Lead(ctx context.Context, lead Proposer) {
	var open [2]openRows // readings, frames
	look := time.NewTicker(c.interval())
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		view, err := c.node.View(ctx, cluster.Local)
		if err != nil {
			continue // this node is stopping, or ctx is done
		}
		due := false
		for stream := range open {
			open[stream].look(ctx, view, fsm.Stream(stream))
			due = due || open[stream].due(c.ages)
		}
		if !due {
			continue
		}
		if err := propose(ctx, lead, fsm.CutCommand{}); err != nil && ctx.Err() == nil {
			c.log.Warn("close old rows", "err", err)
		}
	}
}

// interval is how often ages are looked at: often enough to be near, seldom
// enough to cost nothing.
func (c *Cutter) interval() time.Duration {
	return min(max(min(c.ages.Soon, c.ages.Latest)/10, 10*time.Millisecond), time.Second)
}

// openRows are the rows of a stream that are not closed.
type openRows struct {
	looked bool
	first  fsm.Seq
	count  uint64
	since  time.Time // when the first of them came; zero when there is none
}

// look takes the present open rows. Their age is measured by this node's
// monotonic clock, so that a jump of the wall clock closes or keeps nothing.
// Only rows that a new leader finds are dated by received: else a site that
// often changes leaders would never close them.
func (o *openRows) look(ctx context.Context, view View, stream fsm.Stream) {
	first := closedEnd(view, stream, o.first) + 1
	o.count = uint64(view.Last(stream) + 1 - first)
	switch {
	case o.count == 0:
		o.since = time.Time{}
	case o.first != first || o.since.IsZero():
		o.since = time.Now()
		if o.looked {
			break
		}
		if received, ok := receivedOf(ctx, view, stream, first); ok {
			o.since = o.since.Add(-max(0, time.Since(time.UnixMicro(received))))
		}
	}
	o.first, o.looked = first, true
}

func (o *openRows) due(ages Ages) bool {
	if o.count == 0 {
		return false
	}
	age := time.Since(o.since)
	return age >= ages.Latest || o.count >= ages.Rows && age >= ages.Soon
}

// closedEnd is the last closed seq of a stream. open is a seq that was the
// first open one earlier, 0 when none is known.
func closedEnd(view View, stream fsm.Stream, open fsm.Seq) fsm.Seq {
	open = max(open, 1)
	cuts := view.Cuts(stream, open)
	if len(cuts) == 0 {
		return open - 1
	}
	return cuts[len(cuts)-1].Last
}
