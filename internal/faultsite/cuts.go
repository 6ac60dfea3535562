package faultsite

import (
	"context"
	"fmt"
	"time"

	"skerry/internal/faultfs"
)

// snapshotOften has the nodes take snapshots within a campaign, so that cuts meet
// them.
var snapshotOften = []string{"--ship-after", "10s", "--snapshot-after", "262144"}

// spare draws what a cut leaves: mostly it tears.
func (t *trial) spare() faultfs.Spare {
	if t.Draw.IntN(4) == 0 {
		return faultfs.Nothing
	}
	return faultfs.Some
}

// cutAll takes the power of all nodes at one moment, again and again.
func cutAll(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: snapshotOften})
	if err != nil {
		return err
	}
	done := 0
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, 100*time.Millisecond, 1500*time.Millisecond)
		if err = t.Cut(t.spare(), t.Nodes...); err == nil {
			err = t.recovered(ctx)
		}
	}
	return t.finish(ctx, err, fmt.Sprintf("%d cuts of all nodes", done))
}

// cutOne takes the power of one node, of the leader half of the time. The others
// must go on without it.
func cutOne(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: snapshotOften})
	if err != nil {
		return err
	}
	done := 0
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, 100*time.Millisecond, time.Second)
		n := t.Nodes[t.Draw.IntN(len(t.Nodes))]
		if leader := t.Leader(ctx); leader != nil && t.Draw.IntN(2) == 0 {
			n = leader
		}
		if err = t.Cut(t.spare(), n); err == nil {
			err = t.recovered(ctx)
		}
	}
	return t.finish(ctx, err, fmt.Sprintf("%d cuts of one node", done))
}
