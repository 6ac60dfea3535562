package fsm

import (
	"encoding/hex"
	"fmt"
	"slices"
)

// streams is the number of streams that a site counts and ships.
const streams = 3

// State is what a site has agreed on. It is not safe for concurrent use, but
// what its methods hand out never changes, so readers need its guard only for
// the call.
//
// Invariants, for readings and for frames: cuts are without holes from
// retained.from on, and last cut + 1 is the first open row; synced and dropped
// ranges end before it; every row before retained.from is synced or in a gap.
type State struct {
	genesis     Genesis
	begun       bool // genesis has been applied
	incarnation uint64
	origins     []origin // of this incarnation and those before, the last one's last

	knows Level // the newest that this replica can apply; not part of the state
	level Level // what the site may use
	trial string

	// seen are the servers by ID, as of seenAt. It is replaced, never changed.
	seen   []Seen
	seenAt LogTime

	logTime      LogTime
	received     int64 // of the last entry
	clockUnknown bool  // of the last entry
	chain        chain

	series seriesTable
	window window
	head   head
	frames frameHead

	cuts     [2][]Cut // of readings and frames
	synced   [streams]IntervalSet
	versions [streams]uint64 // last ship counter
	gaps     []Gap
	dropped  [2]IntervalSet // the ranges of gaps, of readings and frames
	tasks    taskList

	retained retained
	erasures Erasures
	erased   uint64 // version of the last erasure

	registry  registry
	documents documents
	directory directory
	leases    ordered[Lease]

	view    batchView // scratch of Apply
	applied Applied   // of the entry in hand
}

// NewState is a site before its genesis.
func NewState() *State { return NewStateAs(NewestLevel) }

// NewStateAs is a site before its genesis as a program that knows a level has it.
func NewStateAs(knows Level) *State {
	return &State{
		knows: knows, level: FirstLevel,
		series: newSeriesTable(), head: newHead(1), frames: frameHead{first: 1}, chain: newChain(),
		registry: newRegistry(), directory: newDirectory(), retained: newRetained(),
	}
}

// Genesis is the site's first command; ok is false before it.
func (s *State) Genesis() (g Genesis, ok bool) { return s.genesis, s.begun }

// Incarnation counts the histories of the site from 1 on; 0 before genesis.
func (s *State) Incarnation() uint64 { return s.incarnation }

// LogTime is the highest log time applied.
func (s *State) LogTime() LogTime { return s.logTime }

// Received is the leader's wall clock of the last entry, microseconds since
// 1970 UTC, and whether it knew the time.
func (s *State) Received() (micros int64, clockKnown bool) { return s.received, !s.clockUnknown }

// Digest identifies the state after the entry at index: replicas with the same
// index must have the same sum.
func (s *State) Digest() (index uint64, sum [32]byte) { return s.chain.index, s.chain.sum }

// DigestString is Digest as index:hex, with half of the sum.
func (s *State) DigestString() string {
	return fmt.Sprintf("%d:%s", s.chain.index, hex.EncodeToString(s.chain.sum[:16]))
}

// Head are the readings not yet cut.
func (s *State) Head() (Rows, Names) { return s.head.rows, s.series.names }

// OpenFrames are the frames not yet cut.
func (s *State) OpenFrames() []Frame { return slices.Clip(s.frames.frames) }

// Series is the id of a series that has a reading or a frame. Ids count from 0
// in the order of first appearance and never change.
func (s *State) Series(device, resource string) (id uint32, ok bool) {
	return s.series.lookup(device, resource)
}

// SeriesOf iterates over the series of a device, the newest first, in time that
// does not depend on how many series there are: for id := range s.SeriesOf(d).
func (s *State) SeriesOf(device string) func(yield func(id uint32) bool) {
	return func(yield func(uint32) bool) { s.series.of(device, yield) }
}

// SeriesCount is the number of series; their ids are below it.
func (s *State) SeriesCount() int { return len(s.series.names.Series) }

// SeriesName is the name of a series.
func (s *State) SeriesName(id uint32) SeriesName { return s.series.names.Series[id] }

// Latest is the reading of a series that entered the site last; ok is false
// for a series of frames only. Data is shared.
func (s *State) Latest(id uint32) (r Reading, ok bool) { return s.series.reading(id) }

// LatestFrame is the frame of a series that entered the site last.
func (s *State) LatestFrame(id uint32) (f Frame, ok bool) {
	slot, ok := s.series.frameSlots[id]
	if !ok {
		return Frame{}, false
	}
	f = *s.series.frames.at(int(slot))
	return f, f.Seq > 0
}

// LastSeq is the last seq given in a stream, 0 for none.
func (s *State) LastSeq(of Stream) Seq {
	switch of {
	case Readings:
		return s.head.rows.Last()
	case Frames:
		return s.frames.next() - 1
	}
	return Seq(len(s.gaps))
}

// LastClosed is the last seq of a stream that no longer waits to be cut, and
// may be shipped. Gaps are closed as they are made.
func (s *State) LastClosed(of Stream) Seq {
	switch of {
	case Readings:
		return s.head.rows.First - 1
	case Frames:
		return s.frames.first - 1
	}
	return Seq(len(s.gaps))
}

// Cuts are the closed ranges of readings or frames that the site has not
// dropped, ascending; none of gaps.
func (s *State) Cuts(of Stream) []Cut {
	if of > Frames {
		return nil
	}
	return slices.Clip(s.cuts[of])
}

// Synced are the ranges of a stream that the bucket has.
func (s *State) Synced(of Stream) IntervalSet { return s.synced[of] }

// SyncVersion is the highest ship counter recorded for a stream.
func (s *State) SyncVersion(of Stream) uint64 { return s.versions[of] }

// Gaps are the rows dropped on purpose that the bucket lacks, ascending by Seq.
func (s *State) Gaps() []Gap { return slices.Clip(s.gaps) }

// Tasks are all tasks by ID. The slice is the caller's.
func (s *State) Tasks() []Task { return slices.Clone(s.tasks) }

// Task is one task.
func (s *State) Task(id string) (Task, bool) {
	if i, ok := s.tasks.find(id); ok {
		return s.tasks[i], true
	}
	return Task{}, false
}

// Known is the answer that the dedup window remembers for a message with this
// key and content; ok is false when it remembers none.
func (s *State) Known(key Key, content uint64) (o Outcome, ok bool) {
	known := s.window.find(&key, keyHash(&key))
	if known == nil || (known.content != content && known.content != 0 && content != 0) {
		return Outcome{}, false
	}
	return Outcome{Code: Stored, First: Seq(known.first &^ frameBit), Known: true}, true
}

// Remembered is the number of keys in the dedup window.
func (s *State) Remembered() int { return s.window.n }
