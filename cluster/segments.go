package cluster

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/fsm/segment"
)

const (
	// maxOpenSegments bounds the segment files held open.
	maxOpenSegments = 64
	// retiredFor is how long a file stays after one that covers it took its
	// place: whoever has just listed the history still reads it.
	retiredFor = time.Minute
	// maxRotten bounds the files set aside that wait for their rows.
	maxRotten = 16
)

// segments are this node's durable segment files. Each holds one cut or several
// neighbours, whole.
//
// What a name says is believed until the file is opened: then its footer must
// say the same. So a start does not wait for thousands of footers.
type segments struct {
	disk disk.Disk
	site string

	files turn // held while names on the disk change

	mu      sync.Mutex
	lists   [2][]*held // by stream; ascending, not overlapping
	retired []*held    // covered by one of lists, the longest first
	rotten  int        // files set aside, see setAside
	open    map[*held]*openSegment
	tick    uint64

	dropped [len(dropStreams)]fsm.Seq // of removeDropped alone: nothing before it is on the disk
}

// held is a file of this node.
type held struct {
	stream      fsm.Stream
	first, last fsm.Seq

	// Guarded by segments.mu.
	known   bool    // the footer was read and agrees with the name
	cut     fsm.Cut // of the footer
	stats   segment.Stats
	retired time.Time
}

func (h *held) name() string { return segmentName(h.stream, fsm.Cut{First: h.first, Last: h.last}) }

func (h *held) same(o *held) bool {
	return h.stream == o.stream && h.first == o.first && h.last == o.last
}

func (h *held) covers(c fsm.Cut) bool { return h.first <= c.First && c.Last <= h.last }

// openSegment is a file in use or kept open for the next use.
type openSegment struct {
	*segment.Segment
	file  disk.File
	size  int64
	users int    // guarded by segments.mu
	used  uint64 // tick of the last use
}

func segmentDir(s fsm.Stream) string { return "segments/" + s.String() }

func segmentName(s fsm.Stream, c fsm.Cut) string {
	return fmt.Sprintf("%s/%020d-%020d%s", segmentDir(s), c.First, c.Last, segmentSuffix)
}

const (
	segmentSuffix = ".parquet"
	rottenSuffix  = ".rotten"
	tempSuffix    = ".tmp"
)

// parseSegmentName is the inverse of segmentName without its directory.
func parseSegmentName(name string) (first, last fsm.Seq, ok bool) {
	if _, err := fmt.Sscanf(name, "%020d-%020d"+segmentSuffix, &first, &last); err != nil {
		return 0, 0, false
	}
	return first, last, first <= last && name == path.Base(segmentName(fsm.Readings, fsm.Cut{First: first, Last: last}))
}

// newSegments lists what the disk has, and removes what a power cut left of
// writing and of merging.
func newSegments(d disk.Disk, site string) (*segments, error) {
	s := &segments{disk: d, site: site, files: newTurn(), open: map[*held]*openSegment{}}
	for _, stream := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		names, err := d.List(segmentDir(stream))
		if err != nil {
			return nil, err
		}
		var found []*held
		for _, name := range names {
			switch path.Ext(name) {
			case tempSuffix:
				if err := d.Remove(segmentDir(stream) + "/" + name); err != nil {
					return nil, err
				}
			case rottenSuffix:
				s.rotten++
			case segmentSuffix:
				if first, last, ok := parseSegmentName(name); ok {
					found = append(found, &held{stream: stream, first: first, last: last})
				}
			}
		}
		if err := s.sift(stream, found); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// sift lists files, and removes those that a larger one covers which is whole.
func (s *segments) sift(stream fsm.Stream, found []*held) error {
	slices.SortFunc(found, func(a, b *held) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last)) })
	for _, h := range found {
		list := s.lists[stream]
		if len(list) == 0 || list[len(list)-1].last < h.first {
			s.lists[stream] = append(list, h)
			continue
		}
		larger := list[len(list)-1]
		if err := s.know(larger); err != nil || h.last > larger.last {
			// It is damaged, or two files overlap, which nothing here makes:
			// what is set aside is fetched again.
			if err := s.setAside(larger); err != nil {
				return err
			}
			s.lists[stream] = append(s.lists[stream], h)
			continue
		}
		if err := s.disk.Remove(h.name()); err != nil {
			return err
		}
	}
	return nil
}

// know reads the footer of a file, unless that was done.
func (s *segments) know(h *held) error {
	s.mu.Lock()
	known := h.known
	s.mu.Unlock()
	if known {
		return nil
	}
	f, _, seg, err := s.read(h)
	if err != nil {
		return err
	}
	_ = f.Close() // read only
	s.learn(h, seg)
	return nil
}

func (s *segments) learn(h *held, seg *segment.Segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.known, h.cut, h.stats = true, seg.Cut(), seg.Stats()
}

// statsOf is what the footer of a file says of its rows.
func (s *segments) statsOf(h *held) (segment.Stats, error) {
	if err := s.know(h); err != nil {
		return segment.Stats{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return h.stats, nil
}

// read opens a file, whose footer must be as its name says.
func (s *segments) read(h *held) (disk.File, int64, *segment.Segment, error) {
	f, err := s.disk.Open(h.name())
	if err != nil {
		return nil, 0, nil, err
	}
	size, err := f.Size()
	if err == nil {
		var seg *segment.Segment
		if seg, err = segment.Open(f, size); err == nil {
			if c := seg.Cut(); c.First == h.first && c.Last == h.last && seg.Stream() == h.stream {
				return f, size, seg, nil
			}
			err = fmt.Errorf("%w: its footer is of %s %d to %d", segment.ErrDamaged, seg.Stream(), seg.Cut().First, seg.Cut().Last)
		}
	}
	_ = f.Close()
	return nil, 0, nil, fmt.Errorf("segment %s: %w", h.name(), err)
}

// adopt reports that the disk has the rows of a cut, in a file of its own whose
// footer says so or in one of several cuts.
func (s *segments) adopt(stream fsm.Stream, c fsm.Cut) bool {
	h := s.covering(stream, c)
	if h == nil || s.know(h) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return h.first != c.First || h.last != c.Last || h.cut == c
}

// use opens the file of just these rows; release must be called after.
// ErrMissing: there is none here.
func (s *segments) use(stream fsm.Stream, c fsm.Cut) (seg *openSegment, release func(), err error) {
	h := s.exact(stream, c)
	if h == nil {
		return nil, nil, ErrMissing
	}
	return s.useHeld(h)
}

func (s *segments) useHeld(h *held) (seg *openSegment, release func(), err error) {
	take := func() *openSegment {
		s.mu.Lock()
		defer s.mu.Unlock()
		o, ok := s.open[h]
		if ok {
			s.tick++
			o.users, o.used = o.users+1, s.tick
		}
		return o
	}
	o := take()
	if o == nil {
		f, size, seg, err := s.read(h)
		if err != nil {
			return nil, nil, err
		}
		s.learn(h, seg)
		s.mu.Lock()
		if _, ok := s.open[h]; ok {
			_ = f.Close() // somebody was faster
		} else {
			s.open[h] = &openSegment{Segment: seg, file: f, size: size}
		}
		s.mu.Unlock()
		if o = take(); o == nil { // and it was closed at once
			return nil, nil, ErrMissing
		}
	}
	return o, func() { s.release(o) }, nil
}

func (s *segments) release(o *openSegment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.users--
	for len(s.open) > maxOpenSegments {
		var oldest *held
		var found *openSegment
		for h, c := range s.open {
			if c.users == 0 && (found == nil || c.used < found.used) {
				oldest, found = h, c
			}
		}
		if found == nil {
			return
		}
		delete(s.open, oldest)
		_ = found.file.Close() // read only
	}
}

// closeIdle closes a file that is not wanted any more, unless somebody reads
// it: then it is closed as the oldest. The caller holds mu.
func (s *segments) closeIdle(h *held) {
	if o, ok := s.open[h]; ok && o.users == 0 {
		delete(s.open, h)
		_ = o.file.Close() // read only
	}
}

// close closes what is kept open.
func (s *segments) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h, o := range s.open {
		delete(s.open, h)
		_ = o.file.Close() // read only
	}
}
