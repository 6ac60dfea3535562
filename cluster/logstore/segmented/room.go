package segmented

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"skerry/cluster/disk"
)

const (
	// sparesMade is how many files are made ready to be the next segment. Those
	// of which all entries were dropped are kept beside them, up to
	// Config.SpareBytes: they cost no zeros.
	sparesMade = 1
	// shrinkAbove is the room that a sealed segment may keep to itself, in bytes.
	shrinkAbove = 64 << 10
	// tidyAgain is the pause after the disk refused.
	tidyAgain = 5 * time.Second
	// pageBytes is how much is written at a time to blocks that were not written
	// to before. Larger pieces lie in the kernel's memory as one, which every small
	// write to it then counts as written.
	pageBytes = 4 << 10
	// aheadBytes is how much is zeroed ahead where small batches, smallRun in a
	// row, have come to blocks which were taken and not yet written to: the next
	// ones find blocks whose write changes no metadata. Those of largeBatch bytes
	// or more do without: their zeros would cost the disk more than that does.
	aheadBytes = 64 << 10
	largeBatch = 2 << 10
	smallRun   = 8
)

// spare is a file that is ready to be a segment; written is segment's.
type spare struct {
	name    string
	written int64
}

func (l *Log) name(file string) string { return path.Join(l.cfg.Dir, file) }

// roll makes a new segment the active one: entries from first on that are in
// the log are void from then on, with alone all of them. It holds an entry of
// need bytes. The caller has the turn.
func (l *Log) roll(first uint64, alone bool, need int64) error {
	s, err := l.newSegment(first, alone, need)
	if err == nil {
		err = l.place(s)
	}
	if err != nil {
		return fmt.Errorf("begin a segment at entry %d: %w", first, err)
	}
	return nil
}

// newSegment takes a spare, or makes one, and gives it a head. It is not in
// place yet.
func (l *Log) newSegment(first uint64, alone bool, need int64) (*segment, error) {
	found, size, err := l.takeSpare(firstAt + need)
	if err != nil {
		return nil, err
	}
	f, err := l.cfg.Disk.Open(l.name(found.name))
	if err != nil {
		return nil, err
	}
	var salt [8]byte
	if _, err = rand.Read(salt[:]); err == nil {
		l.serial++
		s := &segment{name: found.name, file: f, size: size, written: found.written, last: first - 1, end: firstAt}
		s.head = head{serial: l.serial, salt: binary.LittleEndian.Uint64(salt[:]), first: first, alone: alone}
		if err = writeHead(f, s.head); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, f.Close())
}

// place syncs a segment that newSegment made and makes it the active one. Before
// the rename the log is as it was, and after it as it is to be.
func (l *Log) place(s *segment) error {
	err := s.file.Sync()
	if err == nil {
		err = l.cfg.Disk.Rename(l.name(s.name), l.name(segmentName(s.serial)))
	}
	if err == nil {
		err = l.cfg.Disk.SyncDir(l.cfg.Dir)
	}
	if err != nil {
		return errors.Join(err, s.file.Close())
	}
	s.name = segmentName(s.serial)
	l.mu.Lock()
	l.void(s.first, s.alone)
	l.segments = append(l.segments, s)
	if s.alone {
		l.first = s.first
	}
	l.mu.Unlock()
	l.active = s
	l.tidy()
	return nil
}

// void takes entries from index on, or all, out of the segments. The caller
// holds mu.
func (l *Log) void(index uint64, all bool) {
	n := len(l.segments)
	for n > 0 && (all || l.segments[n-1].first >= index) {
		n--
	}
	l.doomed = append(l.doomed, l.segments[n:]...)
	l.segments = l.segments[:n:n]
	if n == 0 {
		return
	}
	s := l.segments[n-1]
	if s.last >= index {
		_, s.end = s.span(index) // a little more than what is not void
		s.last = index - 1
	}
	if s.size-s.end > shrinkAbove {
		l.shrink = append(l.shrink, s)
	}
}

// tidy wakes the worker.
func (l *Log) tidy() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// keepTidy is the worker: it removes what is not wanted any more and keeps
// spares ready. It ends with Close.
func (l *Log) keepTidy() {
	for {
		select {
		case <-l.wake:
		case <-l.ended:
			return
		}
		if err := l.tidyUp(); err != nil {
			l.cfg.Logger.Warn("the log's directory could not be tidied and is tried again", "error", err)
			again := time.NewTimer(tidyAgain)
			select {
			case <-again.C:
				l.tidy()
			case <-l.ended:
				again.Stop()
				return
			}
		}
	}
}

// tidyUp does what there is to do now.
func (l *Log) tidyUp() error {
	for {
		s := l.nextDoomed()
		if s == nil {
			break
		}
		if err := l.retire(s); err != nil {
			return err // the next one must not go before it
		}
		l.mu.Lock()
		l.doomed = l.doomed[1:]
		l.mu.Unlock()
	}
	for {
		l.mu.Lock()
		if len(l.shrink) == 0 {
			l.mu.Unlock()
			break
		}
		s := l.shrink[0]
		l.shrink = l.shrink[1:]
		end := s.end
		live := slices.Contains(l.segments, s)
		if live {
			s.size = end
		}
		l.mu.Unlock()
		if live {
			if err := s.file.Truncate(end); err != nil {
				return err
			}
		}
	}
	return l.fillSpares()
}

// nextDoomed is the segment to be removed first: one that is void, or the oldest
// if all its entries were dropped.
func (l *Log) nextDoomed() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.segments) > 1 && l.segments[1].first <= l.first {
		l.doomed = append(l.doomed, l.segments[0])
		l.segments = l.segments[1:]
	}
	if len(l.doomed) == 0 {
		return nil
	}
	return l.doomed[0]
}

// retire makes a segment a spare, if one is wanted, or removes it.
func (l *Log) retire(s *segment) error {
	if err := s.close(); err != nil {
		return err
	}
	l.mu.Lock()
	keep := s.size == l.cfg.SegmentBytes && len(l.spares) < l.sparesKept()
	name := l.nextSpareName()
	l.mu.Unlock()
	var err error
	if keep {
		err = l.cfg.Disk.Rename(l.name(s.name), l.name(name))
	} else {
		err = l.cfg.Disk.Remove(l.name(s.name))
	}
	if err == nil {
		err = l.cfg.Disk.SyncDir(l.cfg.Dir)
	}
	if err != nil {
		return fmt.Errorf("remove segment %d: %w", s.serial, err)
	}
	if keep {
		l.mu.Lock()
		l.spares = append(l.spares, spare{name, s.written})
		l.mu.Unlock()
	}
	return nil
}

// sparesKept is how many spares there may be.
func (l *Log) sparesKept() int { return max(sparesMade, int(l.cfg.SpareBytes/l.cfg.SegmentBytes)) }

// nextSpareName is a name no spare has had in this life. The caller holds mu.
func (l *Log) nextSpareName() string {
	l.spareSeq++
	return fmt.Sprintf("%016x%s", l.spareSeq, spareExt)
}

// takeSpare hands out a file of at least size bytes.
func (l *Log) takeSpare(size int64) (found spare, got int64, err error) {
	l.mu.Lock()
	if size <= l.cfg.SegmentBytes && len(l.spares) > 0 {
		found = l.spares[0]
		l.spares = l.spares[1:]
		l.mu.Unlock()
		return found, l.cfg.SegmentBytes, nil
	}
	name := l.nextSpareName()
	l.mu.Unlock()
	size = max(size, l.cfg.SegmentBytes)
	found, err = l.makeSpare(name, size)
	return found, size, err
}

// fillSpares makes the spares that are missing.
func (l *Log) fillSpares() error {
	for {
		l.mu.Lock()
		enough := len(l.spares) >= sparesMade || l.closed
		name := l.nextSpareName()
		l.mu.Unlock()
		if enough {
			return nil
		}
		made, err := l.makeSpare(name, l.cfg.SegmentBytes)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.spares = append(l.spares, made)
		l.mu.Unlock()
	}
}

// makeSpare makes a file whose blocks are there from then on. Where they cannot
// be taken without a write they are zeroed.
func (l *Log) makeSpare(name string, size int64) (spare, error) {
	temp := l.name(name + tempExt)
	f, err := l.cfg.Disk.Create(temp)
	if err != nil {
		return spare{}, err
	}
	made := spare{name: name}
	if err = disk.Allocate(f, size); errors.Is(err, errors.ErrUnsupported) {
		made.written, err = size, zero(f, 0, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = l.cfg.Disk.Rename(temp, l.name(name)); err == nil {
			return made, l.cfg.Disk.SyncDir(l.cfg.Dir)
		}
	}
	return spare{}, errors.Join(fmt.Errorf("make a segment of %d bytes: %w", size, err), l.cfg.Disk.Remove(temp))
}

// writeAhead follows a batch of some bytes that was written up to end, and is
// not yet synced.
func (s *segment) writeAhead(end, batch int64) error {
	if s.small++; batch >= largeBatch {
		s.small = 0
	}
	if end <= s.written {
		return nil
	}
	to := end
	if s.small >= smallRun {
		to = min((end/pageBytes+1)*pageBytes+aheadBytes, s.size)
		if err := zero(s.file, end, to); err != nil {
			return err
		}
	}
	s.written = to
	return nil
}

// write writes a batch.
func (s *segment) write(b []byte, at int64) error {
	if at+int64(len(b)) <= s.written {
		_, err := s.file.WriteAt(b, at)
		return err
	}
	return writePages(s.file, at, int64(len(b)), func(from, n int64) []byte { return b[from-at:][:n] })
}

var zeros [pageBytes]byte

func zero(f disk.File, from, to int64) error {
	return writePages(f, from, to-from, func(_, n int64) []byte { return zeros[:n] })
}

// writePages writes size bytes in pieces, none of which lies in two pages.
func writePages(f disk.File, at, size int64, piece func(at, n int64) []byte) error {
	for end := at + size; at < end; {
		n := min(end-at, pageBytes-at%pageBytes)
		if _, err := f.WriteAt(piece(at, n), at); err != nil {
			return err
		}
		at += n
	}
	return nil
}
