package task

import (
	"context"

	"skerry/cluster"
	"skerry/fsm"
)

// Proposer gives commands to the site. *cluster.Lead and *cluster.Node do.
type Proposer interface {
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error)
}

// Site is what tasks need of the node they run on. See At.
type Site interface {
	Proposer
	View(ctx context.Context, c cluster.Consistency) (View, error)
	// Applied returns a channel that is closed when something is applied
	// after the call.
	Applied() <-chan struct{}
}

// View is the state as of a moment or later; *cluster.View is one.
type View interface {
	Plans
	History
}

// Plans are the tasks of a site and the clock of their leases.
type Plans interface {
	Tasks() []fsm.Task
	Task(id string) (fsm.Task, bool)
	LogTime() fsm.LogTime
}

// History is all readings in seq order.
type History interface {
	// After leaves out what was erased, and dropped: where it gives fewer than
	// limit there are no others.
	After(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error)
	Last(s fsm.Stream) fsm.Seq
}

// At is the Site of a cluster node.
func At(n *cluster.Node) Site { return site{n} }

type site struct{ *cluster.Node }

func (s site) View(ctx context.Context, c cluster.Consistency) (View, error) {
	v, err := s.Node.View(ctx, c)
	if err != nil {
		return nil, err
	}
	return v, nil
}
