package segmented

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
)

// The index of a segment has a mark at least every so many records or bytes, so
// a read looks through no more than that for its record.
const (
	markRecords = 16
	markBytes   = 16 << 10
)

// mark says where a record lies.
type mark struct {
	index uint64
	at    int64
}

// segment is one file of the log. What changes is guarded by the Log's mu.
//
// Invariant: first-1 <= last, firstAt <= end <= size.
type segment struct {
	head
	name string
	file disk.File
	size int64 // of the file, in bytes

	last  uint64 // first-1 while there is no record
	end   int64  // where the next record goes
	batch uint32 // of the last record
	marks []mark
	since int // records after the last mark

	// written is up to where the blocks of the file were written to, and not only
	// taken; small is how many small batches came since the last large one. Both
	// are of the one that has the Log's turn.
	written int64
	small   int

	closed bool // the worker's, and Close's after it
}

// close closes the file, once.
func (s *segment) close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	return s.file.Close()
}

// note takes the record of the next index into the index.
func (s *segment) note(size int64) {
	index := s.last + 1
	n := len(s.marks)
	if n == 0 || s.since >= markRecords || s.end-s.marks[n-1].at >= markBytes || size > markBytes {
		s.marks = append(s.marks, mark{index, s.end})
		s.since = 0
	}
	s.since++
	s.last, s.end = index, s.end+size
}

// span is where the bytes lie among which the record of index is.
func (s *segment) span(index uint64) (from, to int64) {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].index > index })
	from, to = s.marks[i-1].at, s.end
	if i < len(s.marks) {
		to = s.marks[i].at
	}
	return from, to
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// read reads the record of index from a span. It holds no lock.
func (s *segment) read(index uint64, from, to int64, out *raft.Log) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if int64(cap(*buf)) < to-from {
		*buf = make([]byte, to-from)
	}
	b := (*buf)[:to-from]
	if n, err := s.file.ReadAt(b, from); n < len(b) {
		return fmt.Errorf("read entry %d in segment %d: %w", index, s.serial, err)
	}
	for {
		i, size := recordSpan(b)
		if size == 0 || i > index || (i < index && size >= len(b)) {
			return fmt.Errorf("entry %d in segment %d: %w", index, s.serial, ErrRotten)
		}
		if i < index {
			b = b[size:]
			continue
		}
		r, ok := parseRecord(b, s.salt)
		if !ok {
			return fmt.Errorf("entry %d in segment %d: %w", index, s.serial, ErrRotten)
		}
		*out = r.entry
		out.Data = append([]byte(nil), r.entry.Data...)
		out.Extensions = append([]byte(nil), r.entry.Extensions...)
		return nil
	}
}

// scanned is what looking through a segment found.
type scanned struct {
	// whole: nothing that is a record follows the last one taken.
	whole bool
	// rotten: a record that follows was written after the one that is missing
	// had been synced.
	rotten bool
	// skipped is the first entry of those that are damaged and not needed, 0 for
	// none; from is the one after them.
	skipped, from uint64
}

// scan takes in the records up to limit that follow each other without damage,
// from needed on: those before it may be damaged. b is a buffer to read into; it
// is returned for the next segment.
func (s *segment) scan(limit uint64, needed func() uint64, b []byte) (scanned, []byte, error) {
	if int64(cap(b)) < s.size {
		b = make([]byte, s.size)
	}
	b = b[:s.size]
	if err := readWhole(s.file, b); err != nil {
		return scanned{}, b, fmt.Errorf("read segment %d: %w", s.serial, err)
	}
	s.last, s.end, s.marks, s.batch = s.first-1, firstAt, nil, 0
	var found scanned
	ended := s.take(b, limit)
	for s.last < limit && s.skip(b, limit, needed, &found) {
		ended = s.take(b, limit)
	}
	if s.last == limit {
		found.whole = true
		return found, b, nil
	}
	missing := s.batch
	if ended {
		missing++
	}
	found.whole = true
	for at := s.end; at+recordHead <= s.size; at += align {
		// No more records fit, so an index further on is no index.
		index, _ := recordSpan(b[at:])
		if index <= s.last || index-s.last > uint64(s.size/recordHead) {
			continue
		}
		if r, ok := parseRecord(b[at:], s.salt); ok {
			found.whole = false
			found.rotten = found.rotten || r.batch > missing
		}
	}
	return found, b, nil
}

// take takes in the records from where the last one ended, and tells whether
// their last batch is whole.
func (s *segment) take(b []byte, limit uint64) (ended bool) {
	ended = true
	for s.last < limit {
		r, ok := parseRecord(b[min(s.end, s.size):], s.salt)
		if !ok || r.entry.Index != s.last+1 {
			break
		}
		s.note(int64(r.size))
		s.batch, ended = r.batch, r.last
	}
	return ended
}

// skip goes on behind damage, if all that is needed follows in this segment.
// Nothing that was read before counts then. What is needed was durable, or
// nobody would know of it, so a record before it is no rest of a torn batch.
func (s *segment) skip(b []byte, limit uint64, needed func() uint64, found *scanned) bool {
	missing := s.last + 1
	for at := s.end; at+recordHead <= s.size; at += align {
		index, _ := recordSpan(b[at:])
		if index <= missing || index > limit || index-missing > uint64(s.size/recordHead) {
			continue
		}
		if _, ok := parseRecord(b[at:], s.salt); !ok {
			continue
		}
		if index > needed() {
			return false
		}
		if found.skipped == 0 {
			found.skipped = missing
		}
		found.from = index
		s.last, s.end, s.marks, s.since = index-1, at, nil, 0
		return true
	}
	return false
}

const (
	readPart = 4096
	// unreadable is how many parts of a segment may be lost to a disk that does
	// not give them. They count as damage; more of them as a broken disk.
	unreadable = 16
)

// readWhole fills b from the beginning of f; what the disk does not give is
// zero.
func readWhole(f disk.File, b []byte) error {
	if n, err := f.ReadAt(b, 0); n == len(b) || errors.Is(err, io.EOF) {
		clear(b[n:])
		return nil
	}
	lost := 0
	for at := 0; at < len(b); at += readPart {
		part := b[at:min(at+readPart, len(b))]
		n, err := f.ReadAt(part, int64(at))
		if n == len(part) || errors.Is(err, io.EOF) {
			continue
		}
		clear(part)
		if lost++; lost > unreadable {
			return err
		}
	}
	return nil
}
