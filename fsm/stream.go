package fsm

// MaxGaps bounds the gaps of a site.
const MaxGaps = 1 << 16

// applyCut closes what is open. It is no error when nothing is.
func (s *State) applyCut() Outcome {
	if s.head.rows.Len() == 0 && len(s.frames.frames) == 0 {
		return Outcome{Code: Stored, Known: true}
	}
	if s.head.rows.Len() > 0 {
		s.cutReadings()
	}
	if len(s.frames.frames) > 0 {
		s.cutFrames()
	}
	return Outcome{Code: Stored}
}

func (s *State) cutReadings() {
	c, rows := s.head.cut()
	s.closed(Closed{Stream: Readings, Cut: c, Rows: rows, Names: s.series.names})
}

func (s *State) cutFrames() {
	c, frames := s.frames.cut()
	s.closed(Closed{Stream: Frames, Cut: c, Frames: frames})
}

func (s *State) closed(c Closed) {
	s.cuts[c.Stream] = append(s.cuts[c.Stream], c.Cut)
	s.closedNow(c.Stream)
	s.applied.Cuts = append(s.applied.Cuts, c)
	s.chain.cut(c.Stream, &c.Cut, &s.series, &s.window)
}

// applySynced adds a range to what the bucket has. The version only goes up,
// whatever the order in which a leader's marks come.
func (s *State) applySynced(c *SyncedCommand) Outcome {
	if c.First < 1 || c.First > c.Last || c.Last > s.LastClosed(c.Stream) {
		return Outcome{Code: BadRange}
	}
	if s.level >= retentionLevel {
		s.recount(c.Stream, Interval{c.First, c.Last})
	}
	s.synced[c.Stream] = s.synced[c.Stream].With(Interval{c.First, c.Last})
	s.versions[c.Stream] = max(s.versions[c.Stream], c.Version)
	return Outcome{Code: Stored, First: c.First}
}

// applyGap drops the rows of a range that are neither in the bucket nor
// dropped already; those it counts. Its outcome has the gap's seq.
func (s *State) applyGap(c *GapCommand) Outcome {
	if c.First < 1 || c.First > c.Last || c.Last > s.LastClosed(Readings) {
		return Outcome{Code: BadRange}
	}
	for i := range s.gaps {
		if g := &s.gaps[i]; g.Stream == Readings && g.First == c.First && g.Last == c.Last {
			return Outcome{Code: Stored, First: g.Seq, Known: true}
		}
	}
	gone := Interval{c.First, c.Last}
	count := uint64(c.Last-c.First+1) - s.outOfReach(gone)
	if count == 0 {
		return Outcome{Code: BadRange}
	}
	if len(s.gaps) >= MaxGaps {
		return Outcome{Code: TooMany}
	}
	return Outcome{Code: Stored, First: s.addGap(Gap{First: c.First, Last: c.Last, Count: count, Reason: c.Reason})}
}

// outOfReach is how many rows of a range a new gap does not drop: those that
// the bucket has and those that were dropped before.
func (s *State) outOfReach(r Interval) uint64 {
	n := s.synced[Readings].Overlap(r)
	for _, d := range s.dropped[Readings] {
		first, last := max(d.First, r.First), min(d.Last, r.Last)
		if first <= last {
			part := Interval{first, last}
			n += uint64(last-first+1) - s.synced[Readings].Overlap(part)
		}
	}
	return n
}
