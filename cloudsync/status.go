package cloudsync

import (
	"context"
	"os"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// State is what a syncer does at the moment.
type State string

const (
	Following State = "following" // this node does not lead, so another ships
	Claiming  State = "claiming"  // reading and claiming the tables
	Idle      State = "idle"      // all that is closed is in the bucket
	Shipping  State = "shipping"
	Waiting   State = "waiting"  // for this node to write or fetch a segment
	Retrying  State = "retrying" // after an error, see LastError
	Stopped   State = "stopped"  // until somebody mends what LastError says
)

// Status is what a node knows of the bucket.
type Status struct {
	URL         string        `json:"url"`
	Node        string        `json:"node"`
	State       State         `json:"state"`
	Tables      []TableStatus `json:"tables"` // readings, frames, gaps
	LastError   string        `json:"last_error"`
	LastErrorAt *time.Time    `json:"last_error_at,omitempty"`
}

// TableStatus is the state of one table. What is in the bucket is known at
// every node; the time of the last commit only where it was made or read.
type TableStatus struct {
	Table        string     `json:"table"`
	Last         uint64     `json:"last"`          // last seq of the site
	Synced       uint64     `json:"synced"`        // 1..Synced are in the table, or dropped and in gaps
	BacklogRows  uint64     `json:"backlog_rows"`  // not in the table, closed or not
	BacklogBytes int64      `json:"backlog_bytes"` // of this node's files of closed rows not in the table
	LagSeconds   float64    `json:"lag_seconds"`   // age of the oldest row not in the table, by its received
	Commit       int64      `json:"commit"`        // last commit with rows, 0 for none
	LastCommit   *time.Time `json:"last_commit,omitempty"`

	// OrphansRemoved counts files that no commit named and that this node
	// removed since it leads.
	OrphansRemoved uint64 `json:"orphans_removed,omitempty"`
}

// maxStatusCuts bounds the files that a Status looks at.
const maxStatusCuts = 1000

// progress is what the duty tells about itself.
type progress struct {
	state     State
	err       error
	errAt     time.Time
	attempts  uint64       // failures and quiet ends of a round so far
	committed [3]time.Time // by stream
	orphans   [3]uint64    // removed, by stream
}

// enter notes a new state.
func (s *Syncer) enter(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == Idle && s.progress.err != nil {
		s.cfg.Log.Info("the bucket takes rows again", "url", s.cfg.URL)
		s.progress.err, s.progress.errAt = nil, time.Time{}
	}
	s.progress.state = state
	if state == Idle {
		s.looked()
	}
}

// failed notes an error, and logs it unless it is the one before.
func (s *Syncer) failed(state State, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.progress.err == nil || s.progress.err.Error() != err.Error() {
		s.cfg.Log.Warn("shipping to the bucket", "url", s.cfg.URL, "state", string(state), "err", err)
	}
	s.progress.state, s.progress.err, s.progress.errAt = state, err, time.Now()
	s.looked()
}

// follow notes the end of leading.
func (s *Syncer) follow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = progress{state: Following, attempts: s.progress.attempts}
	s.looked()
}

// looked tells waiters that the duty came to a rest. The caller holds s.mu.
func (s *Syncer) looked() {
	s.progress.attempts++
	close(s.changed)
	s.changed = make(chan struct{})
}

// shipped notes a table's last commit.
func (s *Syncer) shipped(t *table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.committed[t.stream] = t.committed
}

// swept counts a removed orphan.
func (s *Syncer) swept(t *table) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.orphans[t.stream]++
}

func (s *Syncer) now() (progress, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.progress, s.changed
}

// Status is this node's own view; it needs no leader. It reads one row of each
// stream for the lag and looks at the sizes of files.
func (s *Syncer) Status(ctx context.Context) (Status, error) {
	view, err := s.node.View(ctx, cluster.Local)
	if err != nil {
		return Status{}, err
	}
	p, _ := s.now()
	out := Status{URL: s.cfg.URL, Node: s.node.Name(), State: p.state}
	if p.err != nil {
		out.LastError, out.LastErrorAt = p.err.Error(), &p.errAt
	}
	for _, stream := range []fsm.Stream{fsm.Readings, fsm.Frames, fsm.Gaps} {
		t := s.tableStatus(ctx, view, stream)
		if at := p.committed[stream]; !at.IsZero() {
			t.LastCommit = &at
		}
		t.OrphansRemoved = p.orphans[stream]
		out.Tables = append(out.Tables, t)
	}
	return out, nil
}

func (s *Syncer) tableStatus(ctx context.Context, view View, stream fsm.Stream) TableStatus {
	_, version := view.Synced(stream)
	done := settled(view, stream)
	last := view.Last(stream)
	left := minus(upTo(last), done)
	t := TableStatus{
		Table: stream.String(), Last: uint64(last), Synced: uint64(done.Prefix()), BacklogRows: rows(left), Commit: int64(version),
	}
	if len(left) == 0 || stream == fsm.Gaps {
		return t
	}
	oldest := left[0].First
	for i, cut := range view.Cuts(stream, oldest) {
		if i == maxStatusCuts {
			break
		}
		if path, ok := s.node.SegmentFile(stream, cut); ok && !done.Contains(fsm.Interval{First: cut.First, Last: cut.Last}) {
			if info, err := os.Stat(path); err == nil {
				t.BacklogBytes += info.Size()
			}
		}
	}
	if received, ok := receivedOf(ctx, view, stream, oldest); ok {
		t.LagSeconds = max(0, time.Since(time.UnixMicro(received)).Seconds())
	}
	return t
}

// settled are the rows of a stream that are in its table, or dropped for good.
func settled(view View, stream fsm.Stream) fsm.IntervalSet {
	synced, _ := view.Synced(stream)
	done := fsm.IntervalSet(synced)
	for _, r := range droppedOf(view.Gaps(0), stream) {
		done = done.With(r)
	}
	return done
}

// receivedOf is when a reading or frame was received, microseconds since 1970
// UTC, if this node has it at hand.
func receivedOf(ctx context.Context, view View, stream fsm.Stream, seq fsm.Seq) (int64, bool) {
	if stream == fsm.Frames {
		frames, err := view.FramesAfter(ctx, seq-1, 1)
		if err != nil || len(frames) == 0 {
			return 0, false
		}
		return frames[0].Received, true
	}
	readings, err := view.After(ctx, seq-1, 1)
	if err != nil || len(readings) == 0 {
		return 0, false
	}
	return readings[0].Received, true
}
