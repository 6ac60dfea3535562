package fsm

import (
	"fmt"
	"slices"
	"sort"
)

// retentionLevel is the level since which a site drops what it has.
const retentionLevel Level = 2

// Bounds of retention.
const (
	MaxKeepAge = 100 * 366 * 86_400 * 1_000_000 // microseconds
	// MinKeepBytes is the least that a stream may be bounded to, so that a slip
	// of a unit does not empty a site.
	MinKeepBytes = 1 << 20
	MaxServers   = 64 // that hold copies of their own, see LetGoCommand
)

// Keep bounds what a site keeps of a stream. 0 is no bound.
type Keep struct {
	// Age is how long, in microseconds of log time since the rows were closed:
	// no step of a wall clock drops anything, and time without a leader does
	// not count.
	Age int64 `cbor:"1,keyasint"`
	// Bytes is how much, in files of one node.
	Bytes uint64 `cbor:"2,keyasint"`
}

// Retention is what a site keeps. The leader's duty drops whole cuts, the
// oldest first, from all nodes at once.
type Retention struct {
	Readings Keep `cbor:"1,keyasint"`
	Frames   Keep `cbor:"2,keyasint"`
	// Unshipped lets rows go that the bucket does not have, each with a gap:
	// by age and bytes, and when the disks are full. Without it they stay, and
	// readings are refused when the disks are full.
	Unshipped bool `cbor:"3,keyasint"`
}

// Of is what is kept of readings or frames.
func (r *Retention) Of(s Stream) Keep {
	if s == Frames {
		return r.Frames
	}
	return r.Readings
}

func (r Retention) validate() error {
	for _, k := range []struct {
		stream Stream
		keep   Keep
	}{{Readings, r.Readings}, {Frames, r.Frames}} {
		switch {
		case k.keep.Age < 0 || k.keep.Age > MaxKeepAge:
			return fmt.Errorf("age of %s is out of range: 0 (no bound) to 100 years", k.stream)
		case k.keep.Bytes != 0 && k.keep.Bytes < MinKeepBytes:
			return fmt.Errorf("bytes of %s are out of range: 0 (no bound), or at least %d", k.stream, MinKeepBytes)
		}
	}
	return nil
}

// SetRetentionCommand replaces the settings. It is refused with Precondition
// unless Version is that of the settings it replaces.
type SetRetentionCommand struct {
	Version   uint64    `cbor:"1,keyasint"`
	Retention Retention `cbor:"2,keyasint"`
}

func (SetRetentionCommand) Op() Op                       { return OpSetRetention }
func (c SetRetentionCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }
func (c SetRetentionCommand) validate() error            { return c.Retention.validate() }

// RetainCommand drops every cut of a stream before the one that begins at From,
// everywhere. Rows among them that the bucket lacks become a gap with Reason;
// without one the command is refused with BadRange, and nothing is dropped.
type RetainCommand struct {
	Term   uint64 `cbor:"1,keyasint"`
	Stream Stream `cbor:"2,keyasint"`
	From   Seq    `cbor:"3,keyasint"`
	Reason string `cbor:"4,keyasint,omitempty"`
}

func (RetainCommand) Op() Op                       { return OpRetain }
func (c RetainCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }

// InTerm returns the command stamped with the duty's term.
func (c RetainCommand) InTerm(term uint64) Command { c.Term = term; return c }

func (c RetainCommand) validate() error {
	if c.Stream > Frames {
		return fmt.Errorf("stream %d is not one that is dropped from", c.Stream)
	}
	if c.Reason == "" {
		return nil
	}
	return ValidateName("reason of a gap:", c.Reason, MaxReason)
}

// LetGoCommand lets one server go without its own copies of the cuts before
// Before, because its disk is full and a majority keeps them. A lower Before,
// 0 in the end, asks it to hold them again.
type LetGoCommand struct {
	Term   uint64 `cbor:"1,keyasint"`
	Server string `cbor:"2,keyasint"` // raft ServerID
	Stream Stream `cbor:"3,keyasint"`
	Before Seq    `cbor:"4,keyasint"`
}

func (LetGoCommand) Op() Op                       { return OpLetGo }
func (c LetGoCommand) appendBody(b []byte) []byte { return appendCBOR(b, c) }

// InTerm returns the command stamped with the duty's term.
func (c LetGoCommand) InTerm(term uint64) Command { c.Term = term; return c }

func (c LetGoCommand) validate() error {
	if c.Stream > Frames {
		return fmt.Errorf("stream %d is not one that is dropped from", c.Stream)
	}
	return ValidateName("server", c.Server, MaxNode)
}

// copies are the first seqs, by stream, from which on a server holds its own.
type copies struct {
	Server string `cbor:"1,keyasint"`
	From   [2]Seq `cbor:"2,keyasint"`
}

// retained is what a site has dropped and is to drop.
//
// Invariant: from[s] is at least 1, cuts of s begin there, and closed[s] has
// one element for each of them.
type retained struct {
	settings Retention
	version  uint64 // of settings
	from     [2]Seq
	closed   [2][]LogTime // when each cut was closed; 0 is before level 2
	copies   ordered[copies]
}

func newRetained() retained { return retained{from: [2]Seq{1, 1}} }

// closedNow notes the log time of a cut just made.
func (s *State) closedNow(of Stream) {
	now := s.logTime
	if s.level < retentionLevel {
		now = 0 // snapshots of that level do not keep it
	}
	s.retained.closed[of] = append(s.retained.closed[of], now)
}

// ageFromNow gives cuts of before level 2 an age that counts from now on.
func (s *State) ageFromNow() {
	for stream, closed := range s.retained.closed {
		closed = slices.Clone(closed)
		for i, at := range closed {
			if at == 0 {
				closed[i] = s.logTime
			}
		}
		s.retained.closed[stream] = closed
	}
}

func (s *State) setRetention(c *SetRetentionCommand) Outcome {
	r := &s.retained
	if c.Version != r.version {
		return Outcome{Code: Precondition, First: Seq(r.version)}
	}
	if r.settings != c.Retention {
		r.settings, r.version = c.Retention, r.version+1
	}
	return Outcome{Code: Stored, First: Seq(r.version)}
}

// retain drops cuts. Its outcome has the first seq kept.
func (s *State) retain(c *RetainCommand) Outcome {
	r, cuts := &s.retained, s.cuts[c.Stream]
	first := r.from[c.Stream]
	if c.From <= first {
		return Outcome{Code: Stored, First: first, Known: true}
	}
	n := sort.Search(len(cuts), func(i int) bool { return cuts[i].Last >= c.From })
	if n < len(cuts) && cuts[n].First != c.From || c.From > s.LastClosed(c.Stream)+1 {
		return Outcome{Code: BadRange}
	}
	if o := s.lose(c.Stream, Interval{first, c.From - 1}, c.Reason); o.Code != Stored {
		return o
	}
	// Snapshots and readers hold the arrays as they were.
	s.cuts[c.Stream] = slices.Clone(cuts[n:])
	r.closed[c.Stream] = slices.Clone(r.closed[c.Stream][n:])
	r.from[c.Stream] = c.From
	s.applied.Retained = true
	s.unmask()
	return Outcome{Code: Stored, First: c.From}
}

// lose makes a gap of the rows of a range that the bucket lacks, if there are
// any. Without a reason it is refused then.
func (s *State) lose(of Stream, rows Interval, reason string) Outcome {
	reached := s.dropped[of]
	for _, iv := range s.synced[of] {
		reached = reached.With(iv)
	}
	count := uint64(rows.Last-rows.First+1) - reached.Overlap(rows)
	switch {
	case count == 0:
		return Outcome{Code: Stored}
	case reason == "":
		return Outcome{Code: BadRange}
	case len(s.gaps) >= MaxGaps:
		return Outcome{Code: TooMany}
	}
	for _, iv := range reached { // what is left of rows begins and ends in the gap
		if iv.First <= rows.First && rows.First <= iv.Last {
			rows.First = iv.Last + 1
		}
		if iv.First <= rows.Last && rows.Last <= iv.Last {
			rows.Last = iv.First - 1
		}
	}
	s.addGap(Gap{Stream: of, First: rows.First, Last: rows.Last, Count: count, Reason: reason})
	return Outcome{Code: Stored}
}

func (s *State) addGap(g Gap) Seq {
	g.Seq = Seq(len(s.gaps) + 1)
	s.gaps = append(s.gaps, g)
	s.dropped[g.Stream] = s.dropped[g.Stream].With(Interval{g.First, g.Last})
	return g.Seq
}

// recount takes rows that reached the bucket after all out of the gaps that the
// bucket has not been told of. A commit whose answer was lost comes to light
// when the table's log is read again, which a leader does before it ships gaps.
// A row was counted by the first gap over it.
func (s *State) recount(of Stream, reached Interval) {
	if of > Frames || s.dropped[of].Overlap(reached) == 0 {
		return
	}
	left := IntervalSet{reached}
	for _, iv := range s.synced[of] {
		left = left.Without(iv)
	}
	gaps := slices.Clone(s.gaps) // snapshots hold them as they were
	for i := range gaps {
		g := &gaps[i]
		rows := Interval{g.First, g.Last}
		if n := left.Overlap(rows); g.Stream == of && n > 0 {
			left = left.Without(rows)
			if !s.synced[Gaps].Contains(Interval{g.Seq, g.Seq}) {
				g.Count -= n
			}
		}
	}
	s.gaps = gaps
}

func (s *State) letGo(c *LetGoCommand) Outcome {
	has := copies{Server: c.Server}
	if was := s.retained.copies.get(c.Server); was != nil {
		has = *was
	}
	switch {
	case has.From[c.Stream] == c.Before:
		return Outcome{Code: Stored, Known: true}
	case c.Before > s.LastClosed(c.Stream)+1:
		return Outcome{Code: BadRange}
	}
	has.From[c.Stream] = c.Before
	switch {
	case has.From == [2]Seq{}:
		s.retained.copies.remove(c.Server)
	case s.retained.copies.get(c.Server) == nil && s.retained.copies.n >= MaxServers:
		return Outcome{Code: TooMany}
	default:
		s.retained.copies.set(c.Server, &has)
	}
	s.applied.Retained = true
	return Outcome{Code: Stored}
}

// Retention is what the site keeps, and the version of these settings.
func (s *State) Retention() (r Retention, version uint64) {
	return s.retained.settings, s.retained.version
}

// RetainedFrom is the first seq of a stream that the site has not dropped; what
// comes before it is in the bucket or in a gap. It is 1 for gaps.
func (s *State) RetainedFrom(of Stream) Seq {
	if of > Frames {
		return 1
	}
	return s.retained.from[of]
}

// Settled is the last seq up to which the bucket has every row that the site
// retains, or a gap says why not.
func (s *State) Settled(of Stream) Seq {
	settled := s.retained.from[of] - 1
	for more := true; more; {
		more = false
		for _, set := range []IntervalSet{s.synced[of], s.dropped[of]} {
			if last, ok := set.lastFrom(settled + 1); ok {
				settled, more = last, true
			}
		}
	}
	return settled
}

// CopiesFrom is the seq before which a server holds no copies of its own.
func (s *State) CopiesFrom(server string, of Stream) Seq {
	if c := s.retained.copies.get(server); c != nil && of <= Frames {
		return max(c.From[of], s.retained.from[of])
	}
	return s.RetainedFrom(of)
}

// ClosedAt is the log time at which a cut was closed, by its place in Cuts.
// The slice is shared.
func (s *State) ClosedAt(of Stream) []LogTime { return slices.Clip(s.retained.closed[of]) }
