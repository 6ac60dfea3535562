package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/gentle"
	"skerry/fsm"
)

// segmentKey names a cut: one cut of a stream begins at first.
type segmentKey struct {
	stream fsm.Stream
	first  fsm.Seq
}

// replica is the state and this node's files of it: the raft.FSM. It holds the
// one lock on the state.
type replica struct {
	log      *slog.Logger
	segments *segments
	frames   *frameStore
	fail     func(error) // ends the node
	applied  signal      // after each batch of entries
	closing  signal      // after a cut was made durable, or missing changed
	cutMade  chan struct{}
	registry atomic.Uint64 // state.RegistryVersion, for readers without mu
	knows    fsm.Level     // the newest level that this program applies
	level    atomic.Uint32 // state.Level, for readers without mu
	leveled  signal        // after level rose

	self           string // ServerID, set before raft starts
	configurations configurations

	mu      sync.RWMutex
	state   *fsm.State
	told    floors // what another server told whose state is further
	erasing erasing
	life    uint64 // raised when a snapshot replaces the state
	// running is set when the node has started: from then on a snapshot to
	// restore is a leader's. installed is called before it replaces the state;
	// nil does nothing.
	running   bool
	installed func() error
	// replacing is set while a snapshot is put in place: the frames on the disk
	// are being read back.
	replacing bool
	// keepLog keeps raft's log back to an index when a snapshot was written.
	keepLog func(from uint64) error
	// broken is why entries are no longer applied: one could not be, and the
	// state after it would not be the site's.
	broken error
	// idle is set while nobody makes cuts durable: the node is stopping.
	idle bool
	// index is of the last command applied. Entries that are raft's own do not
	// count: they change nothing here.
	index uint64
	// pending are cuts of this node's own log that are not yet durable, in the
	// order of cutting. They stay readable from memory.
	pending []*fsm.Closed
	// missing are cuts whose rows a restored snapshot did not bring, and
	// missingFrames are open frames without bytes.
	missing       map[segmentKey]fsm.Cut
	missingFrames map[fsm.Seq]fsm.Frame
	awaited       []awaited // rows that rotted and are to come back
	grown         int64     // bytes of entries applied since the last snapshot
	snapshotAt    uint64    // index of the last snapshot that was kept
	decoded       decodedCache
	noted         []noted // see noteDigest
	order         nameOrder
	borrows       borrows
	scrubbed      scrubCounts
	alone         func() bool   // no other server has what this one has; nil in tests
	queries       chan struct{} // holds one of each query that runs
	scans         chan struct{} // holds one of each scan that holds a file's rows
}

func newReplica(log *slog.Logger, segs *segments, frames *frameStore, knows fsm.Level, fail func(error)) *replica {
	r := &replica{
		log: log, segments: segs, frames: frames, fail: fail, knows: knows, state: fsm.NewStateAs(knows),
		cutMade: make(chan struct{}, 1), queries: make(chan struct{}, maxQueries), scans: make(chan struct{}, maxScans),
		missing: map[segmentKey]fsm.Cut{}, missingFrames: map[fsm.Seq]fsm.Frame{},
		decoded: decodedCache{turn: newTurn()}, borrows: borrows{turn: newTurn()},
	}
	r.publish()
	return r
}

// publish lets readers without mu see what the state is at. The caller holds mu.
func (r *replica) publish() {
	r.registry.Store(r.state.RegistryVersion())
	if level := uint32(r.state.Level()); r.level.Swap(level) != level {
		r.leveled.notify()
	}
}

// siteLevel is the level of the site as far as this replica has applied.
func (r *replica) siteLevel() fsm.Level { return fsm.Level(r.level.Load()) }

// Apply is raft.FSM's.
func (r *replica) Apply(l *raft.Log) any { return r.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch is raft.BatchingFSM's. Each response is a [][]fsm.Outcome. An
// entry that cannot be applied ends the node: its response and those of all
// later entries are the error.
func (r *replica) ApplyBatch(logs []*raft.Log) []any {
	r.awaitRoom()
	responses := make([]any, len(logs))
	r.mu.Lock()
	defer r.applied.notify()
	defer r.mu.Unlock()
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			r.noteConfiguration(l)
			continue
		}
		if r.broken != nil {
			responses[i] = r.broken
			continue
		}
		a, err := r.state.Apply(l.Index, l.Term, l.Data)
		if err == nil {
			err = r.keep(&a)
		}
		if err != nil {
			r.broken = fmt.Errorf("the log cannot be applied: %w", err)
			r.fail(r.broken)
			responses[i] = r.broken
			continue
		}
		r.noteDigest(l.Index)
		r.index = l.Index
		r.grown += int64(len(l.Data))
		responses[i] = a.Outcomes
	}
	r.publish()
	return responses
}

// keep takes what an entry handed to the node. The caller holds mu.
func (r *replica) keep(a *fsm.Applied) error {
	if a.Frame != nil {
		if err := r.frames.put(a.Frame.Frame.Seq, a.Frame.JPEG); err != nil {
			return err
		}
	}
	if a.Retained {
		r.reconsider()
	}
	if a.Retained || a.Erased {
		r.closing.notify()
	}
	for i := range a.Cuts {
		c := &a.Cuts[i]
		if c.Stream == fsm.Frames {
			r.frames.closeHead()
		}
		if r.segments.adopt(c.Stream, c.Cut) { // replayed: the file is there
			r.covered(c.Stream, c.Cut)
			r.closing.notify()
			continue
		}
		r.pending = append(r.pending, c)
		select {
		case r.cutMade <- struct{}{}:
		default:
		}
	}
	return nil
}

// lost notes that the rows of a file are not here any more, but for those that
// others hold. The caller holds mu.
func (r *replica) lost(h *held) {
	pending := r.isPending()
	cuts := r.state.Cuts(h.stream)
	for i := sort.Search(len(cuts), func(i int) bool { return cuts[i].Last >= h.first }); i < len(cuts) && cuts[i].First <= h.last; i++ {
		if key := (segmentKey{h.stream, cuts[i].First}); !pending[key] && !r.segments.has(h.stream, cuts[i]) {
			r.missing[key] = cuts[i]
		}
	}
}

// isPending tells which cuts are in memory. The caller holds mu.
func (r *replica) isPending() map[segmentKey]bool {
	pending := map[segmentKey]bool{}
	for _, c := range r.pending {
		pending[segmentKey{c.Stream, c.Cut.First}] = true
	}
	return pending
}

// covered notes that a cut's rows are durable here. The caller holds mu.
func (r *replica) covered(s fsm.Stream, c fsm.Cut) {
	delete(r.missing, segmentKey{s, c.First})
	if s == fsm.Frames {
		for seq := c.First; seq <= c.Last; seq++ {
			delete(r.missingFrames, seq)
		}
		r.frames.drop(c.First, c.Last)
	}
}

// writeSegments makes cuts durable until ctx is done.
func (r *replica) writeSegments(ctx context.Context) {
	defer r.endWriting()
	for {
		c := r.nextPending()
		if c == nil {
			select {
			case <-ctx.Done():
				return
			case <-r.cutMade:
				continue
			}
		}
		err := r.writeSegment(ctx, c)
		if disk.IsFull(err) { // it stays in memory, and so does the log
			r.log.Warn("a segment waits for room on the disk", "stream", c.Stream, "first", c.Cut.First, "err", err)
			if pause(ctx, segmentPause) != nil {
				return
			}
			continue
		}
		if err != nil && !errors.Is(err, ErrMissing) {
			r.fail(err) // the disk does not keep what it is given
			return
		}
		r.mu.Lock()
		r.pending[0] = nil // its rows are many
		r.pending = r.pending[1:]
		if err == nil {
			r.covered(c.Stream, c.Cut)
		} else { // frames that a snapshot did not bring: fetched as a whole
			r.missing[segmentKey{c.Stream, c.Cut.First}] = c.Cut
		}
		r.mu.Unlock()
		r.closing.notify()
		if ctx.Err() != nil {
			return
		}
	}
}

// writeSegment writes the file of a cut, unless this node is not to hold it.
func (r *replica) writeSegment(ctx context.Context, c *fsm.Closed) error {
	r.mu.RLock()
	unwanted := r.unwanted(c.Stream, c.Cut)
	erasures, _ := r.state.Erasures()
	r.mu.RUnlock()
	if unwanted || r.segments.adopt(c.Stream, c.Cut) { // a peer's file was faster
		return nil
	}
	if h := r.segments.covering(c.Stream, c.Cut); h != nil { // damaged: these rows are written again
		if err := r.segments.setAside(h); err != nil {
			return err
		}
		r.mu.Lock()
		r.lost(h)
		r.mu.Unlock()
	}
	return r.segments.write(c.Stream, c.Cut, func(w io.Writer) error {
		return encodeClosed(gentle.Begin(ctx, r.behind).Writer(w), r.segments.site, c, r.frames, erasures)
	})
}

// endWriting lets go of those who wait for cuts that nobody writes any more.
func (r *replica) endWriting() {
	r.mu.Lock()
	r.idle = true
	r.mu.Unlock()
	r.closing.notify()
}

func (r *replica) nextPending() *fsm.Closed {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.pending) == 0 {
		return nil
	}
	return r.pending[0]
}

// Restore is raft.FSM's: it replaces everything by a snapshot and lists the
// rows that this node has to fetch. Reads go on meanwhile, from the state before.
func (r *replica) Restore(rc io.ReadCloser) error {
	defer func() { _ = rc.Close() }()
	state, err := fsm.RestoreAs(rc, r.knows)
	if err != nil {
		return fmt.Errorf("the snapshot cannot be restored: %w", err)
	}
	if installed := r.beginReplacing(); installed != nil {
		err = installed()
	}
	var lacking []fsm.Frame
	if err == nil {
		lacking, err = r.frames.restore(state.OpenFrames())
	}
	r.mu.Lock()
	defer r.applied.notify()
	defer r.closing.notify()
	defer r.mu.Unlock()
	r.replacing = false
	if err == nil {
		r.replace(state, lacking)
	} else if r.running { // else raft tries the snapshot before
		r.fail(fmt.Errorf("a leader's snapshot was not put in place: %w", err))
	}
	return err
}

// beginReplacing returns what is to be called before a restored state replaces
// the present one, nil for nothing.
func (r *replica) beginReplacing() (installed func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		installed = r.installed
	}
	r.replacing = true
	return installed
}

// replace takes a restored state for the present one; lacking are its open
// frames that are not here. The caller holds mu.
func (r *replica) replace(state *fsm.State, lacking []fsm.Frame) {
	r.missingFrames = map[fsm.Seq]fsm.Frame{}
	for _, f := range lacking {
		r.missingFrames[f.Seq] = f
	}
	r.missing = map[segmentKey]fsm.Cut{}
	pending := r.isPending()
	for _, s := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		for _, c := range state.Cuts(s) {
			if key := (segmentKey{s, c.First}); !pending[key] && !r.segments.has(s, c) {
				r.missing[key] = c
			}
		}
	}
	r.state = state
	r.reconsider()
	r.life++
	r.publish()
	r.index, _ = state.Digest()
	r.noted = nil
	r.snapshotAt, r.grown = r.index, 0
}

// await returns when the command at index is applied.
func (r *replica) await(ctx context.Context, index uint64) error {
	for {
		changed := r.applied.wait()
		if r.appliedIndex() >= index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// started tells that from now on a snapshot to restore is a leader's.
func (r *replica) started(installed func() error, keepLog func(from uint64) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.installed, r.keepLog, r.running = installed, keepLog, true
}

func (r *replica) appliedIndex() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.index
}

func (r *replica) logTime() fsm.LogTime {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state.LogTime()
}

func (r *replica) genesis() (fsm.Genesis, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.state.Genesis()
}

func (r *replica) missingCount() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.missing) + len(r.missingFrames)
}
