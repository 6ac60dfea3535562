package api

import (
	"context"

	"skerry/cluster"
	"skerry/fsm"
)

// Site is what the door needs of the node behind it. See At.
type Site interface {
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error)
	View(ctx context.Context, c cluster.Consistency) (View, error)
	// Await returns when the node has applied what was decided at an index.
	Await(ctx context.Context, index uint64) error
	Self
}

// Self is the node's own view of itself; it never blocks.
type Self interface {
	Status() cluster.Status
	Members() []cluster.Member
}

// View is the state as of a moment or later; see At.
type View interface {
	History
	Devices
	Registry
	Frames
	Tasks
	Last(s fsm.Stream) fsm.Seq
	// Retention is what the site keeps, and the version of these settings.
	Retention() (r fsm.Retention, version uint64)
	// Applied returns a channel that is closed when something is applied.
	Applied() <-chan struct{}
}

// History is the readings of one series by time, and all by seq.
type History interface {
	Range(ctx context.Context, q cluster.Query) (cluster.Page, error)
	Windows(ctx context.Context, q cluster.WindowQuery) (cluster.WindowPage, error)
	Scan(q cluster.ScanQuery) Scanner
}

// Scanner reads the history by seq; *cluster.Scanner is one.
type Scanner interface {
	Next(ctx context.Context, last fsm.Seq, limit int) ([]fsm.Reading, error)
	At() fsm.Seq
	Skipped() fsm.Interval
	Close()
}

// Devices are those that have posted and their latest values.
type Devices interface {
	Devices() []cluster.Device
	LatestOf(device string) []fsm.Reading
	LatestPage(q cluster.LatestQuery) (cluster.Page, error)
}

// Registry is the devices that an operator has registered, with their keys and
// documents.
type Registry interface {
	RegisteredDevices() []fsm.DeviceRecord
	Registered(device string) (fsm.DeviceRecord, bool)
	Identity(identity string) (device string, key fsm.DeviceKey, ok bool)
	Document(device string, kind fsm.DocumentKind) (fsm.Document, bool)
}

// Frames are the cameras' pictures.
type Frames interface {
	FramesAfter(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Frame, error)
	JPEG(ctx context.Context, seq fsm.Seq) ([]byte, error)
}

// Tasks are the work wanted of the site and the clock of its leases.
type Tasks interface {
	Tasks() []fsm.Task
	Task(id string) (fsm.Task, bool)
	LogTime() fsm.LogTime
}

// At is the Site of a cluster node.
func At(n *cluster.Node) Site { return site{n} }

type site struct{ *cluster.Node }

func (s site) View(ctx context.Context, c cluster.Consistency) (View, error) {
	v, err := s.Node.View(ctx, c)
	if err != nil {
		return nil, err
	}
	return view{v}, nil
}

// view is the View of a node.
type view struct{ *cluster.View }

func (v view) Scan(q cluster.ScanQuery) Scanner { return v.View.Scan(q) }
