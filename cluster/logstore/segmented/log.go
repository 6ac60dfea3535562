package segmented

import (
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
)

// SegmentBytes is the usual size of a segment.
const SegmentBytes = 8 << 20

// keepBuffer bounds what is kept of the buffer that batches are made in.
const keepBuffer = 1 << 20

var (
	// ErrRotten: what the disk gives is not what was written.
	ErrRotten = errors.New("damaged on disk")
	// ErrNotNext: an entry that does not follow the last one.
	ErrNotNext = errors.New("the entry does not follow the last one of the log")
	// ErrHole: a deletion that would leave entries on both sides.
	ErrHole = errors.New("entries in the middle of the log cannot be deleted")

	errClosed = errors.New("the log is closed")
)

// Config tells where and how.
type Config struct {
	Disk         disk.Disk
	Dir          string // on Disk, of this log alone
	SegmentBytes int64  // 0 is SegmentBytes
	// SpareBytes is how much of the disk may be kept in segments whose entries
	// were dropped, to be used again. One is always ready.
	SpareBytes int64
	// Needed is the first entry that may not be missing. Open calls it when one is
	// damaged or missing; nil is the first there is.
	Needed func() uint64
	Logger hclog.Logger
}

// Log is a raft.MonotonicLogStore. Writes are taken one at a time, reads at any
// time.
type Log struct {
	cfg Config

	// turn is held by the one that writes entries, over its I/O. It is a channel
	// because a mutex would stop the clock of a test in virtual time.
	turn   chan struct{}
	buf    []byte // of the one that has the turn
	active *segment
	serial uint64 // the highest of any segment; the turn's

	wake    chan struct{} // capacity 1: there is something to tidy
	ended   chan struct{} // closed by Close
	tidying sync.WaitGroup

	mu       sync.Mutex
	segments []*segment // in order; the last is active
	first    uint64     // of the entries that are wanted; at most last+1
	doomed   []*segment // to be removed, in this order
	shrink   []*segment // sealed with much room left
	spares   []spare    // files that are ready to be segments
	spareSeq uint64
	closed   bool
}

// IsMonotonic is raft.MonotonicLogStore's: the log has no holes.
func (l *Log) IsMonotonic() bool { return true }

// FirstIndex is raft.LogStore's; 0 without entries.
func (l *Log) FirstIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, last := l.bounds()
	if first > last {
		return 0, nil
	}
	return first, nil
}

// LastIndex is raft.LogStore's; 0 without entries.
func (l *Log) LastIndex() (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, last := l.bounds()
	if first > last {
		return 0, nil
	}
	return last, nil
}

// bounds are the entries there are; first > last without any. The caller holds
// mu.
func (l *Log) bounds() (first, last uint64) {
	if len(l.segments) == 0 {
		return 1, 0
	}
	return max(l.first, l.segments[0].first), l.segments[len(l.segments)-1].last
}

// GetLog is raft.LogStore's. It returns raft.ErrLogNotFound, ErrRotten and the
// disk's errors.
func (l *Log) GetLog(index uint64, out *raft.Log) error {
	s, from, to, ok := l.find(index)
	if !ok {
		return raft.ErrLogNotFound
	}
	err := s.read(index, from, to, out)
	if err == nil {
		return nil
	}
	// The segment may have been dropped meanwhile.
	if again, _, _, ok := l.find(index); !ok || again != s {
		return raft.ErrLogNotFound
	}
	return err
}

func (l *Log) find(index uint64) (s *segment, from, to int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, last := l.bounds()
	if index < first || index > last {
		return nil, 0, 0, false
	}
	for i := len(l.segments) - 1; i >= 0; i-- {
		if s = l.segments[i]; index >= s.first {
			from, to = s.span(index)
			return s, from, to, true
		}
	}
	return nil, 0, 0, false
}

// StoreLog is raft.LogStore's.
func (l *Log) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

// StoreLogs appends entries that follow the last one; an empty log takes any
// index. They are durable when it returns nil. After an error of the disk the
// log is not to be written to.
func (l *Log) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	for i, e := range logs {
		if err := checkSize(e); err != nil {
			return err
		}
		if e.Index == 0 || e.Index != logs[0].Index+uint64(i) {
			return fmt.Errorf("entry %d after %d: %w", e.Index, logs[0].Index, ErrNotNext)
		}
	}
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if err := l.ready(logs[0].Index); err != nil {
		return err
	}
	for len(logs) > 0 {
		n, err := l.append(logs)
		if err != nil {
			return err
		}
		if logs = logs[n:]; len(logs) > 0 {
			if err := l.roll(logs[0].Index, false, recordSize(logs[0])); err != nil {
				return err
			}
		}
	}
	return nil
}

// ready makes the active segment one that takes index. The caller has the turn.
func (l *Log) ready(index uint64) error {
	l.mu.Lock()
	first, last := l.bounds()
	closed := l.closed
	l.mu.Unlock()
	switch {
	case closed:
		return errClosed
	case first <= last && index != last+1:
		return fmt.Errorf("entry %d after %d: %w", index, last, ErrNotNext)
	case l.active == nil || (first > last && l.active.last+1 != index):
		return l.roll(index, true, 0)
	}
	return nil
}

// append writes as many of the entries as the active segment takes and makes
// them durable. The caller has the turn.
func (l *Log) append(logs []*raft.Log) (n int, err error) {
	s := l.active
	bytes := int64(0)
	for n < len(logs) {
		size := recordSize(logs[n])
		if s.end+bytes+size > s.size {
			break
		}
		bytes += size
		n++
	}
	if n == 0 {
		return 0, nil
	}
	l.buf = l.buf[:0]
	for i, e := range logs[:n] {
		l.buf = appendRecord(l.buf, s.salt, s.batch+1, i == n-1, e)
	}
	err = s.write(l.buf, s.end)
	if cap(l.buf) > keepBuffer {
		l.buf = nil
	}
	if err == nil {
		err = s.writeAhead(s.end+bytes, bytes)
	}
	if err == nil {
		err = s.file.SyncData()
	}
	if err != nil {
		return 0, fmt.Errorf("append to segment %d: %w", s.serial, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.batch++
	for _, e := range logs[:n] {
		s.note(recordSize(e))
	}
	return n, nil
}

// DeleteRange is raft.LogStore's. A range at the end is deleted durably; one at
// the beginning may be there again after a restart, unless all is deleted.
func (l *Log) DeleteRange(low, high uint64) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.mu.Lock()
	first, last := l.bounds()
	l.mu.Unlock()
	switch {
	case first > last || low > high || high < first || low > last:
		return nil
	case low <= first && high >= last:
		return l.roll(last+1, true, 0)
	case high >= last:
		return l.roll(low, false, 0)
	case low <= first:
		l.mu.Lock()
		l.first = high + 1
		l.mu.Unlock()
		l.tidy()
		return nil
	}
	return fmt.Errorf("delete %d to %d of %d to %d: %w", low, high, first, last, ErrHole)
}

// Reserved is how many bytes can be appended, records and all, without taking
// more of the disk.
func (l *Log) Reserved() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(len(l.spares)) * (l.cfg.SegmentBytes - firstAt)
	if len(l.segments) > 0 {
		s := l.segments[len(l.segments)-1]
		n += s.size - s.end
	}
	return n
}

// Close closes the files. No call may be under way.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	open := append(append([]*segment(nil), l.segments...), l.doomed...)
	l.mu.Unlock()
	close(l.ended)
	l.tidying.Wait()
	var err error
	for _, s := range open {
		err = errors.Join(err, s.close())
	}
	return err
}
