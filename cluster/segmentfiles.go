package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sort"
	"strings"
	"time"

	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// write writes a file of one or more cuts' rows and lists it.
func (s *segments) write(stream fsm.Stream, c fsm.Cut, write func(io.Writer) error) error {
	name := segmentName(stream, c)
	temp := name + tempSuffix
	f, err := s.disk.Create(temp)
	if err != nil {
		return err
	}
	err = write(disk.Steady(f))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("segment %s: %w", name, errors.Join(err, s.disk.Remove(temp)))
	}
	return s.place(temp, stream, c)
}

// place gives a durable file of a cut's rows its name, and lists it in the place
// of those that it covers.
func (s *segments) place(temp string, stream fsm.Stream, c fsm.Cut) error {
	s.files.Lock()
	defer s.files.Unlock()
	h := &held{stream: stream, first: c.First, last: c.Last}
	if s.splits(stream, c.First, c.Last) {
		// A merge or a peer's file was faster. Where it has all of the rows
		// nothing is lacking.
		err := s.disk.Remove(temp)
		if !s.has(stream, c) {
			err = errors.Join(err, fmt.Errorf("segment %s would split another file", h.name()))
		}
		return err
	}
	if err := s.disk.Rename(temp, h.name()); err != nil {
		return err
	}
	if err := s.disk.SyncDir(segmentDir(stream)); err != nil {
		return err
	}
	if err := s.know(h); err != nil {
		return err
	}
	if h.cut != c {
		return fmt.Errorf("segment %s: %w: it does not read back as what was written", h.name(), segment.ErrDamaged)
	}
	s.list(h)
	return nil
}

// list lists a file; what it covers is retired.
func (s *segments) list(h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Its name is on the disk again.
	s.retired = slices.DeleteFunc(s.retired, func(old *held) bool { return old.same(h) })
	list := s.lists[h.stream]
	lo := sort.Search(len(list), func(i int) bool { return list[i].last >= h.first })
	hi := sort.Search(len(list), func(i int) bool { return list[i].first > h.last })
	for _, old := range list[lo:hi] {
		if old.same(h) {
			s.closeIdle(old)
			continue
		}
		old.retired = time.Now()
		s.retired = append(s.retired, old)
	}
	s.lists[h.stream] = slices.Replace(list, lo, hi, h)
}

// setAside takes a file that is not what was written out of use. What it had
// retired is back in use. It stays on the disk, under another name, until its
// rows are here again; beside maxRotten others it goes at once.
func (s *segments) setAside(h *held) error {
	s.files.Lock()
	defer s.files.Unlock()
	s.mu.Lock()
	list := s.lists[h.stream]
	i := slices.Index(list, h)
	if i < 0 && !slices.Contains(s.retired, h) {
		s.mu.Unlock()
		return nil // somebody else has seen it too
	}
	var back []*held
	if i >= 0 {
		for _, old := range s.retired {
			if old.stream == h.stream && h.first <= old.first && old.last <= h.last && (len(back) == 0 || back[len(back)-1].last < old.first) {
				back = append(back, old)
			}
		}
		s.lists[h.stream] = slices.Replace(list, i, i+1, back...)
	}
	s.retired = slices.DeleteFunc(s.retired, func(old *held) bool { return old == h || slices.Contains(back, old) })
	s.closeIdle(h)
	keep := s.rotten < maxRotten && !s.holds(h.stream, h.first, h.last)
	if keep {
		s.rotten++
	}
	s.mu.Unlock()
	var err error
	if keep {
		err = s.disk.Rename(h.name(), h.name()+rottenSuffix)
	} else {
		err = s.disk.Remove(h.name())
	}
	if errors.Is(err, fs.ErrNotExist) { // it is gone, which is why it was found
		err = nil
	}
	return errors.Join(err, s.disk.SyncDir(segmentDir(h.stream)))
}

// dropRotten removes the files set aside whose rows are in others now.
func (s *segments) dropRotten(stream fsm.Stream) error {
	s.mu.Lock()
	none := s.rotten == 0
	s.mu.Unlock()
	if none {
		return nil
	}
	s.files.Lock()
	defer s.files.Unlock()
	names, err := s.disk.List(segmentDir(stream))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		whole, ok := strings.CutSuffix(name, rottenSuffix)
		if !ok {
			continue
		}
		first, last, ok := parseSegmentName(whole)
		if !ok || !s.hasRange(stream, first, last) {
			continue
		}
		if err := s.disk.Remove(segmentDir(stream) + "/" + name); err != nil {
			errs = append(errs, err)
			continue
		}
		s.countRotten(-1)
	}
	return errors.Join(errs...)
}

func (s *segments) countRotten(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotten += n
}

// reap removes files that were retired long enough ago, and reports when the
// next one goes; the zero time when there is none.
func (s *segments) reap(now time.Time) (next time.Time, err error) {
	s.files.Lock()
	defer s.files.Unlock()
	s.mu.Lock()
	var gone []*held
	for len(s.retired) > 0 && !now.Before(s.retired[0].retired.Add(retiredFor)) {
		gone = append(gone, s.retired[0])
		s.closeIdle(s.retired[0])
		s.retired = s.retired[1:]
	}
	if len(s.retired) > 0 {
		next = s.retired[0].retired.Add(retiredFor)
	}
	s.mu.Unlock()
	var errs []error
	for _, h := range gone {
		if err := s.disk.Remove(h.name()); !errors.Is(err, fs.ErrNotExist) { // dropped
			errs = append(errs, err)
		}
	}
	return next, errors.Join(errs...)
}
