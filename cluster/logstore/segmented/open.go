package segmented

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
)

// copyBytes is how much of a tail is written again at a time.
const copyBytes = 1 << 20

// Found is what Open found. First > Last is an empty log.
type Found struct {
	First, Last uint64
	// Damage says what is wrong with the log, "" if nothing is. Then entries
	// after Last may be missing that were acknowledged.
	Damage string
	// Skipped says what is wrong with entries before First that nobody needs, "" if
	// nothing is.
	Skipped string
	// torn: something follows Last that may look like records one day.
	torn bool
}

// Open reads the log. Nothing on disk is changed, and nothing may be written,
// before Begin.
func Open(cfg Config) (*Log, Found, error) {
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = SegmentBytes
	}
	l := &Log{cfg: cfg, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	found, err := l.load()
	if err != nil {
		l.closed = true
		for _, s := range append(l.segments, l.doomed...) {
			err = errors.Join(err, s.close())
		}
		return nil, Found{}, fmt.Errorf("open the log in %s: %w", cfg.Dir, err)
	}
	return l, found, nil
}

// load finds the segments that count and the records in them.
func (l *Log) load() (found Found, err error) {
	headless, err := l.loadHeads()
	if err != nil {
		return found, err
	}
	limits := l.chain()
	needed := sync.OnceValue(func() uint64 {
		if l.cfg.Needed == nil {
			return 0
		}
		return l.cfg.Needed()
	})
	var buf []byte
	for i, s := range l.segments {
		var look scanned
		if look, buf, err = s.scan(limits[i], needed, buf); err != nil {
			return found, err
		}
		if look.skipped > 0 {
			l.skip(&found, look.skipped, look.from)
		}
		final := i == len(l.segments)-1
		if !final && s.last < limits[i] && limits[i] < needed() {
			l.skip(&found, s.last+1, limits[i]+1)
			continue
		}
		found.torn = found.torn || !look.whole
		if !final && s.last < limits[i] || look.rotten {
			found.Damage = fmt.Sprintf("entry %d is damaged or missing and later ones are there", s.last+1)
			l.doomed = append(l.doomed, l.segments[i+1:]...)
			l.segments = l.segments[:i+1]
			found.torn = true
			break
		}
	}
	if len(l.segments) > 0 {
		for _, serial := range headless {
			if serial > l.segments[0].serial {
				found.Damage = fmt.Sprintf("the head of segment %d is damaged", serial)
			}
		}
	} else if len(headless) > 0 {
		found.Damage = "the heads of all segments are damaged"
	}
	found.First, found.Last = l.bounds()
	return found, nil
}

// skip has the log begin behind damage, at from.
func (l *Log) skip(found *Found, damaged, from uint64) {
	if found.Skipped == "" {
		found.Skipped = fmt.Sprintf("entry %d is damaged", damaged)
	}
	l.first = from
}

// loadHeads opens the segments, in order of their serials, and notes the spares.
func (l *Log) loadHeads() (headless []uint64, err error) {
	names, err := l.cfg.Disk.List(l.cfg.Dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if seq, ok := serialOf(name, spareExt); ok {
			l.spareSeq = max(l.spareSeq, seq)
			l.spares = append(l.spares, spare{name: name})
		}
		serial, ok := serialOf(name, segmentExt)
		if !ok {
			continue
		}
		l.serial = max(l.serial, serial)
		s, err := l.openSegment(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		case s.serial == serial:
			l.segments = append(l.segments, s)
		default: // also where the head is damaged: then it is 0
			headless = append(headless, serial)
			s.serial = serial
			l.doomed = append(l.doomed, s)
		}
	}
	sort.Slice(l.segments, func(i, j int) bool { return l.segments[i].serial < l.segments[j].serial })
	return headless, nil
}

func (l *Log) openSegment(name string) (*segment, error) {
	f, err := l.cfg.Disk.Open(l.name(name))
	if err != nil {
		return nil, err
	}
	s := &segment{name: name, file: f}
	if s.size, err = f.Size(); err == nil {
		if s.head, err = readHead(f); errors.Is(err, ErrRotten) {
			s.head, err = head{}, nil
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// chain takes out the segments whose entries are void, and returns up to which
// index the others count.
func (l *Log) chain() (limits []uint64) {
	var live []*segment
	for _, s := range l.segments {
		for n := len(live); n > 0 && (s.alone || live[n-1].first >= s.first); n-- {
			l.doomed = append(l.doomed, live[n-1])
			live = live[:n-1]
		}
		live = append(live, s)
	}
	l.segments = live
	for i := range live {
		limit := uint64(math.MaxUint64)
		if i+1 < len(live) {
			limit = live[i+1].first - 1
		}
		limits = append(limits, limit)
	}
	if len(live) > 0 {
		l.first = live[0].first
	}
	return limits
}

// Begin makes the log ready for writes. Entries up to durable are known to be so;
// those after it are written again. With clear all are deleted. Entries before
// first are not wanted. Afterwards the log is durable as it is.
func (l *Log) Begin(found Found, durable, first uint64, clear bool) error {
	if err := l.removeTemps(); err != nil {
		return err
	}
	from, last := l.bounds()
	var err error
	switch {
	case len(l.segments) == 0 || from > last && !found.torn && found.Damage == "":
	case clear:
		err = l.roll(last+1, true, 0)
	case durable >= last && !found.torn && found.Damage == "":
	default:
		err = l.rewrite(max(min(durable, last)+1, from))
	}
	if err != nil {
		return fmt.Errorf("make the log in %s ready: %w", l.cfg.Dir, err)
	}
	if n := len(l.segments); n > 0 {
		l.active = l.segments[n-1]
		l.active.written = max(l.active.written, l.active.end)
		_, last = l.bounds()
		l.first = min(max(l.first, first), last+1)
	}
	l.tidying.Go(l.keepTidy)
	l.tidy()
	return nil
}

// rewrite writes the entries from an index on into a new segment, which makes
// the others void. They are kept until it is durable.
func (l *Log) rewrite(from uint64) error {
	_, last := l.bounds()
	var need int64
	for _, s := range l.segments {
		if s.last < from || s.last < s.first {
			continue
		}
		at := int64(firstAt)
		if from > s.first {
			at, _ = s.span(from)
		}
		need += s.end - at
	}
	s, err := l.newSegment(from, false, need)
	if err != nil {
		return err
	}
	var buf []byte
	write := func() error {
		err := s.write(buf, s.end-int64(len(buf)))
		buf = buf[:0]
		return err
	}
	s.batch = 1
	for index := from; index <= last; index++ {
		var e raft.Log
		if err := l.GetLog(index, &e); err != nil {
			return errors.Join(err, s.close())
		}
		buf = appendRecord(buf, s.salt, s.batch, index == last, &e)
		s.note(recordSize(&e))
		if len(buf) >= copyBytes || index == last {
			if err := write(); err != nil {
				return errors.Join(err, s.close())
			}
		}
	}
	if from > last {
		s.batch = 0
	}
	s.written = max(s.written, s.end)
	return l.place(s)
}

// removeTemps removes what a start before did not finish.
func (l *Log) removeTemps() error {
	names, err := l.cfg.Disk.List(l.cfg.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, tempExt) {
			err = errors.Join(err, l.cfg.Disk.Remove(l.name(name)))
		}
	}
	// A spare of another size, of an earlier configuration, is none.
	var kept []spare
	for _, found := range l.spares {
		size, e := sizeOf(l.cfg.Disk, l.name(found.name))
		if e == nil && size == l.cfg.SegmentBytes && len(kept) < l.sparesKept() {
			kept = append(kept, found)
			continue
		}
		err = errors.Join(err, e, l.cfg.Disk.Remove(l.name(found.name)))
	}
	l.spares = kept
	return err
}

func sizeOf(d disk.Disk, name string) (int64, error) {
	f, err := d.Open(name)
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	return size, errors.Join(err, f.Close())
}
