package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"skerry/cloudsync"
	"skerry/cluster"
	"skerry/cmd/skerry/site"
)

// Bounds of the steps after the load.
const (
	readyTimeout = time.Minute     // for all nodes to be up
	shipTimeout  = 2 * time.Minute // for the bucket to have everything
	equalTimeout = time.Minute     // for all nodes to have applied the same
	pollPause    = 100 * time.Millisecond
)

// settle brings the site to rest and the bucket up to date, and audits both.
func (d *demo) settle(ctx context.Context) (Report, error) {
	if err := d.allReady(ctx); err != nil {
		return Report{}, err
	}
	if err := d.anyNode(ctx, readyTimeout, func(ctx context.Context, n *site.Node) error {
		return n.Client().CancelTask(ctx, taskID)
	}); err != nil {
		return Report{}, fmt.Errorf("end the count: %w", err)
	}
	if err := d.anyNode(ctx, shipTimeout, func(ctx context.Context, n *site.Node) error {
		_, err := n.Client().Sync(ctx)
		return err
	}); err != nil {
		return Report{}, fmt.Errorf("ship to the bucket: %w", err)
	}
	rest, err := d.caughtUp(ctx)
	if err != nil {
		return Report{}, err
	}
	verified, err := cloudsync.Verify(ctx, d.bucket, siteName)
	if err != nil {
		return Report{}, err
	}
	return d.audit(ctx, rest, &verified)
}

func (d *demo) allReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, n := range d.site.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// anyNode asks one node after the other until one has done it.
func (d *demo) anyNode(ctx context.Context, timeout time.Duration, ask func(context.Context, *site.Node) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for i := 0; ; i++ {
		err := ask(ctx, d.site.Nodes[i%len(d.site.Nodes)])
		if err == nil {
			return nil
		}
		pause(ctx, pollPause)
		if ctx.Err() != nil {
			return err
		}
	}
}

// caughtUp waits until every node has applied what was there when it was
// called, and until they have shown the same digest at a common index. It
// returns the status of a node from then.
func (d *demo) caughtUp(ctx context.Context) (cluster.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, equalTimeout)
	defer cancel()
	goal := uint64(0)
	for first := true; ctx.Err() == nil; first = false {
		views := look(ctx, d.site.Nodes)
		equal := true
		for i := range views {
			s := &views[i].status
			if first {
				goal = max(goal, s.LastSeq)
			}
			equal = equal && s.Ready && s.Missing == 0 && s.LastSeq >= goal && s.AppliedIndex == views[0].status.AppliedIndex
			if s.AppliedIndex == views[0].status.AppliedIndex && s.Digest != views[0].status.Digest {
				return cluster.Status{}, fmt.Errorf("the nodes differ at index %d: %s has digest %s, %s has %s",
					s.AppliedIndex, views[0].name, views[0].status.Digest, views[i].name, s.Digest)
			}
		}
		if equal && !first {
			return views[0].status, nil
		}
		pause(ctx, pollPause)
	}
	return cluster.Status{}, errors.New("the nodes did not come to the same index")
}
