package cloudsync

import (
	"context"
	"io"

	"skerry/cluster"
	"skerry/fsm"
)

// Node is the member of the site on which the syncer runs. *cluster.Node is
// one by way of OfNode.
type Node interface {
	Name() string
	Site() string
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error)
	Applied() <-chan struct{}
	SegmentFile(s fsm.Stream, c fsm.Cut) (path string, ok bool)
	WriteSegment(ctx context.Context, s fsm.Stream, c fsm.Cut, w io.Writer) error
	SuspectSegment(s fsm.Stream, c fsm.Cut)
	// Alarm is why nothing may be shipped: the nodes' states differ. nil: it may.
	Alarm() error
	View(ctx context.Context, c cluster.Consistency) (View, error)
}

// View is the part of cluster.View that tells what is closed, shipped and
// waiting.
type View interface {
	Site() (g fsm.Genesis, ok bool)
	Incarnation() uint64
	SharedUpTo(incarnation uint64, s fsm.Stream) fsm.Seq
	Last(s fsm.Stream) fsm.Seq
	Cuts(s fsm.Stream, from fsm.Seq) []fsm.Cut
	Synced(s fsm.Stream) (ranges []fsm.Interval, version uint64)
	Gaps(after fsm.Seq) []fsm.Gap
	After(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error)
	FramesAfter(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Frame, error)
}

// Proposer gives commands in one term of leading, as *cluster.Lead does.
type Proposer interface {
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error)
}

// OfNode is a cluster's node as a Node.
func OfNode(n *cluster.Node) Node { return clusterNode{n} }

type clusterNode struct{ *cluster.Node }

func (n clusterNode) View(ctx context.Context, c cluster.Consistency) (View, error) {
	v, err := n.Node.View(ctx, c)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// propose is Propose for a command with one outcome; a refusal is an error.
func propose(ctx context.Context, p Proposer, cmd fsm.Command) error {
	res, err := p.Propose(ctx, cmd)
	if err != nil {
		return err
	}
	for _, o := range res.Outcomes {
		if err := o.Code.Err(); err != nil {
			return err
		}
	}
	return nil
}
