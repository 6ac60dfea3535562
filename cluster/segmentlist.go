package cluster

import (
	"slices"
	"sort"

	"skerry/fsm"
)

// hasRange reports that files hold all rows of a range, as far as names tell.
func (s *segments) hasRange(stream fsm.Stream, first, last fsm.Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holds(stream, first, last)
}

// holds is hasRange. The caller holds mu.
func (s *segments) holds(stream fsm.Stream, first, last fsm.Seq) bool {
	list := s.lists[stream]
	for i := sort.Search(len(list), func(i int) bool { return list[i].last >= first }); i < len(list); i++ {
		if list[i].first > first {
			return false
		}
		if first = list[i].last + 1; first > last {
			return true
		}
	}
	return false
}

// listed are the files from the one that may hold seq from on. The slice is the
// caller's; what a held's name says does not change.
func (s *segments) listed(stream fsm.Stream, from fsm.Seq) []*held {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lists[stream]
	return slices.Clone(list[sort.Search(len(list), func(i int) bool { return list[i].last >= from }):])
}

// covering is the file that holds the rows of a cut, nil for none.
func (s *segments) covering(stream fsm.Stream, c fsm.Cut) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(stream, c)
}

// find is covering. The caller holds mu.
func (s *segments) find(stream fsm.Stream, c fsm.Cut) *held {
	list := s.lists[stream]
	i := sort.Search(len(list), func(i int) bool { return list[i].last >= c.First })
	if i < len(list) && list[i].covers(c) {
		return list[i]
	}
	return nil
}

// has reports that the cut's rows are durable here, as far as names tell.
func (s *segments) has(stream fsm.Stream, c fsm.Cut) bool { return s.covering(stream, c) != nil }

// exact is the file of just these rows, nil for none.
func (s *segments) exact(stream fsm.Stream, c fsm.Cut) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.find(stream, c); h != nil && h.first == c.First && h.last == c.Last {
		return h
	}
	for _, h := range s.retired {
		if h.stream == stream && h.first == c.First && h.last == c.Last {
			return h
		}
	}
	return nil
}

// inUse reports that a file is listed or retired, and not set aside.
func (s *segments) inUse(h *held) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.lists[h.stream], h) || slices.Contains(s.retired, h)
}

// splits reports that a range cuts one of the files in two.
func (s *segments) splits(stream fsm.Stream, first, last fsm.Seq) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.lists[stream]
	for i := sort.Search(len(list), func(i int) bool { return list[i].last >= first }); i < len(list) && list[i].first <= last; i++ {
		if list[i].first < first || list[i].last > last {
			return true
		}
	}
	return false
}

// spanOfCuts is the cut that cuts from first to last would be as one; ok is
// false where they do not begin and end there.
func spanOfCuts(cuts []fsm.Cut, first, last fsm.Seq) (span fsm.Cut, ok bool) {
	i := sort.Search(len(cuts), func(i int) bool { return cuts[i].First >= first })
	if i == len(cuts) || cuts[i].First != first {
		return span, false
	}
	span = cuts[i]
	for i++; i < len(cuts) && span.Last < last; i++ {
		span = joined(span, cuts[i])
	}
	return span, span.Last == last
}

// unread is how many files are listed by their names alone.
func (s *segments) unread() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.lists {
		for _, h := range list {
			if !h.known {
				n++
			}
		}
	}
	return n
}
