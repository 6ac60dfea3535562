package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/gentle"
	"skerry/fsm"
)

// persistPatience bounds the wait for segments before a snapshot.
const persistPatience = 2 * time.Minute

// Snapshot is raft.FSM's. It is quick: entries wait meanwhile. A state that
// could not apply an entry is never kept.
func (r *replica) Snapshot() (raft.FSMSnapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return nil, r.broken
	}
	f := &frozen{r: r, snapshot: r.state.Snapshot(), index: r.index, grown: r.grown}
	r.grown = 0
	return f, nil
}

// frozen is a state at one index, to be persisted.
type frozen struct {
	r        *replica
	snapshot *fsm.Snapshot
	index    uint64
	grown    int64 // bytes of log since the snapshot before
	kept     bool  // Persist has returned nil
}

// Persist is raft.FSMSnapshot's. raft drops log after it, so it first waits
// until every cut of this node's own log up to the snapshot is durable, and
// syncs the frames; else it fails and raft keeps its log.
func (f *frozen) Persist(sink raft.SnapshotSink) error {
	err := f.r.awaitDurable(f.snapshot)
	if err == nil {
		if err = f.r.frames.sync(); err != nil && !disk.IsFull(err) {
			f.r.fail(fmt.Errorf("sync frames: %w", err)) // what a failed sync left, a later one does not make durable
		}
	}
	if err == nil {
		_, err = f.snapshot.WriteTo(gentle.Begin(context.Background(), f.r.stopping).Writer(sink))
	}
	if err != nil {
		_ = sink.Cancel() // the first error says why
	} else {
		err = sink.Close()
	}
	f.r.mu.RLock()
	before, keepLog := f.r.snapshotAt, f.r.keepLog
	f.r.mu.RUnlock()
	if err == nil && keepLog != nil {
		err = keepLog(before)
	}
	if err != nil {
		return err
	}
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.r.snapshotAt, f.kept = f.index, true
	return nil
}

// Release is raft.FSMSnapshot's. raft calls it whether or not it came to
// Persist; a snapshot that was not kept is due again.
func (f *frozen) Release() {
	if f.kept {
		return
	}
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.r.grown += f.grown
}

func (r *replica) awaitDurable(s *fsm.Snapshot) error {
	timeout := time.NewTimer(persistPatience)
	defer timeout.Stop()
	for {
		changed := r.closing.wait()
		pending, idle := r.pendingIn(s)
		switch {
		case !pending:
			return nil
		case idle:
			return fmt.Errorf("segments are not durable and the log is kept: %w", ErrClosed)
		}
		select {
		case <-changed:
		case <-timeout.C:
			return fmt.Errorf("segments were not durable after %s: the log is kept", persistPatience)
		}
	}
}

// pendingIn reports that a cut of the snapshot is not durable yet, and that
// nobody makes it so.
func (r *replica) pendingIn(s *fsm.Snapshot) (pending, idle bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	last := map[fsm.Stream]fsm.Seq{}
	for _, stream := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		if cuts := s.Cuts(stream); len(cuts) > 0 {
			last[stream] = cuts[len(cuts)-1].Last
		}
	}
	for _, c := range r.pending {
		if c.Cut.Last <= last[c.Stream] {
			return true, r.idle
		}
	}
	return false, r.idle
}
