package cluster

import (
	"fmt"
	"io"
	"path"
	"sync"

	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// maxOpenSegments bounds the segment files held open.
const maxOpenSegments = 64

// segmentKey names a cut's file: one cut of a stream begins at First.
type segmentKey struct {
	stream fsm.Stream
	first  fsm.Seq
}

// segments are this node's durable segment files. A file is listed only when
// it is complete, synced, and its footer says the very cut.
type segments struct {
	disk disk.Disk
	site string

	mu    sync.Mutex
	have  map[segmentKey]fsm.Cut
	sizes map[segmentKey]int64
	open  map[segmentKey]*openSegment
	tick  uint64

	dropped [len(dropStreams)]fsm.Seq // of removeDropped alone: nothing before it is on the disk
}

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
	return fmt.Sprintf("%s/%020d-%020d.parquet", segmentDir(s), c.First, c.Last)
}

func newSegments(d disk.Disk, site string) (*segments, error) {
	s := &segments{disk: d, site: site, have: map[segmentKey]fsm.Cut{}, sizes: map[segmentKey]int64{}, open: map[segmentKey]*openSegment{}}
	for _, stream := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		names, err := d.List(segmentDir(stream))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if path.Ext(name) == ".tmp" {
				if err := d.Remove(segmentDir(stream) + "/" + name); err != nil {
					return nil, err
				}
			}
		}
	}
	return s, nil
}

// adopt lists the cut's file if the disk has it and its footer agrees.
func (s *segments) adopt(stream fsm.Stream, c fsm.Cut) bool {
	f, size, seg, err := s.read(segmentName(stream, c))
	if err != nil {
		return false
	}
	_ = f.Close()
	if seg.Cut() != c || seg.Stream() != stream || size == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have[segmentKey{stream, c.First}], s.sizes[segmentKey{stream, c.First}] = c, size
	return true
}

func (s *segments) read(name string) (disk.File, int64, *segment.Segment, error) {
	f, err := s.disk.Open(name)
	if err != nil {
		return nil, 0, nil, err
	}
	size, err := f.Size()
	if err == nil {
		var seg *segment.Segment
		if seg, err = segment.Open(f, size); err == nil {
			return f, size, seg, nil
		}
	}
	_ = f.Close()
	return nil, 0, nil, fmt.Errorf("segment %s: %w", name, err)
}

// write writes the file of a cut and lists it.
func (s *segments) write(stream fsm.Stream, c fsm.Cut, write func(io.Writer) error) error {
	name := segmentName(stream, c)
	if err := disk.WriteFile(s.disk, name, write); err != nil {
		return fmt.Errorf("segment %s: %w", name, err)
	}
	if !s.adopt(stream, c) {
		return fmt.Errorf("segment %s does not read back as what was written", name)
	}
	return nil
}

// has reports that the cut's file is durable here.
func (s *segments) has(stream fsm.Stream, c fsm.Cut) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.have[segmentKey{stream, c.First}]
	return ok && have == c
}

// use opens the cut's file; release must be called after. ErrMissing: there is
// none here.
func (s *segments) use(stream fsm.Stream, c fsm.Cut) (seg *openSegment, release func(), err error) {
	key := segmentKey{stream, c.First}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.have[key]; !ok || have != c {
		return nil, nil, ErrMissing
	}
	o, ok := s.open[key]
	if !ok {
		f, size, seg, err := s.read(segmentName(stream, c))
		if err != nil {
			return nil, nil, err
		}
		o = &openSegment{Segment: seg, file: f, size: size}
		s.open[key] = o
	}
	s.tick++
	o.users, o.used = o.users+1, s.tick
	return o, func() { s.release(o) }, nil
}

func (s *segments) release(o *openSegment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.users--
	for len(s.open) > maxOpenSegments {
		var oldest segmentKey
		var found *openSegment
		for k, c := range s.open {
			if c.users == 0 && (found == nil || c.used < found.used) {
				oldest, found = k, c
			}
		}
		if found == nil {
			return
		}
		delete(s.open, oldest)
		_ = found.file.Close() // read only
	}
}

// close closes what is kept open.
func (s *segments) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, o := range s.open {
		delete(s.open, k)
		_ = o.file.Close() // read only
	}
}
