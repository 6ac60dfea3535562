package faultlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"skerry/cloudsync"
	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
)

// syncWithin is how long a quiet site may take to ship what it has.
const syncWithin = 4 * time.Minute

// bucket is where a site ships to.
type bucket struct {
	s     *site
	cloud *cloud
	dir   string // of the machine, for files on their way

	mu      sync.Mutex
	syncers map[string]*cloudsync.Syncer // of the present lives, by node
}

func newBucket(s *site, dir string) *bucket {
	return &bucket{
		s: s, dir: dir, syncers: map[string]*cloudsync.Syncer{},
		cloud: &cloud{random: s.source("cloud"), objects: map[string][]byte{}},
	}
}

// duties are the syncer's and the cutter's of a node that starts.
func (b *bucket) duties(of *box, n *cluster.Node) []cluster.Duty {
	logger := b.s.trace.logger(of.name, b.s.plan.level(), nil)
	node := shipper{cloudsync.OfNode(n), of, b.dir}
	syncer := cloudsync.New(cloudsync.Config{URL: "lab:", Version: "lab", Log: logger}, node, b.cloud)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.syncers[of.name] = syncer
	return []cluster.Duty{syncer.Duty, cloudsync.NewCutter(cloudsync.DefaultAges(), node, logger).Duty}
}

// shipper is a node whose segments, which are on a disk in memory, are copied to
// where cloudsync can open them.
type shipper struct {
	cloudsync.Node
	box *box
	dir string
}

// SegmentFile is cloudsync.Node's.
func (s shipper) SegmentFile(of fsm.Stream, c fsm.Cut) (string, bool) {
	name := fmt.Sprintf("segments/%s/%020d-%020d.parquet", of, c.First, c.Last)
	b, err := disk.ReadFile(s.box.disk, name, 1<<30)
	if err != nil {
		return "", false
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%s-%s-%d-%d.parquet", s.box.name, of, c.First, c.Last))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return "", false
	}
	return path, true
}

// heal has the cloud be there.
func (b *bucket) heal() {
	b.cloud.mu.Lock()
	defer b.cloud.mu.Unlock()
	b.cloud.away, b.cloud.flaky, b.cloud.slow = false, 0, 0
}

// check ships all there is and compares the tables with what the site has.
func (b *bucket) check(ctx context.Context) {
	begun := time.Now()
	last := fsm.Seq(0)
	for {
		box, l := b.s.any(b.s.source("sync"))
		b.mu.Lock()
		syncer := b.syncers[box.name]
		b.mu.Unlock()
		view, err := l.node.View(ctx, cluster.Linearizable)
		if err == nil {
			last = view.Last(fsm.Readings)
			bounded, cancel := context.WithTimeout(ctx, time.Minute)
			err = syncer.Sync(bounded)
			cancel()
		}
		if err == nil || ctx.Err() != nil {
			break
		}
		if time.Since(begun) > syncWithin {
			b.s.truth.violation("the site does not ship %s after all faults have ended: %v", syncWithin, err)
			return
		}
		sleep(ctx, time.Second)
	}
	b.s.counts.add("buckets synced")
	r, err := cloudsync.VerifyBucket(ctx, b.cloud, "lab:", siteName)
	switch {
	case errors.Is(err, cloudsync.ErrNoTables) && last == 0:
	case err != nil:
		b.s.truth.violation("the bucket cannot be read: %v", err)
	case !r.OK():
		b.s.truth.violation("the bucket is not well: %v", r.Findings)
	case r.Tables[0].Rows+r.Dropped < uint64(last), r.Tables[0].Rows+r.Dropped > b.s.truth.known():
		b.s.truth.violation("the bucket has %d readings and %d in gaps, the site had %d", r.Tables[0].Rows, r.Dropped, last)
	}
}
