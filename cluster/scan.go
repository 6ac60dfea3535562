package cluster

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"skerry/fsm"
)

const (
	// maxScans bounds the scans that hold the rows of a file, up to 50 MB each.
	maxScans = 2
	// scanWait bounds the wait for one of maxScans to end.
	scanWait = 10 * time.Second
)

// ScanQuery asks for readings in the order in which they entered the site.
type ScanQuery struct {
	After  fsm.Seq // the seq before the first
	Filter fsm.Filter
	From   int64 // From <= time < To, microseconds since 1970 UTC
	To     int64
}

// Scanner reads the history by seq, one part of it at a time. It may go on for
// ever: at the end it waits for nobody, and finds later what has come in since.
// It is for one goroutine.
//
// Invariant: all readings up to At that are kept and asked for were returned.
type Scanner struct {
	r *replica
	q ScanQuery

	next    fsm.Seq // the first that was not looked at
	rows    *fsm.Rows
	names   *fsm.Names
	until   fsm.Seq // of the rows: what a file has after it is not closed here yet
	erased  fsm.Erasures
	picked  []pick // by series id of names; nil where asking costs less
	release func() // lets another scan hold a file's rows; nil where this one does not
	skipped fsm.Interval
}

// pick is what a filter says of a series.
type pick uint8

const (
	notAsked pick = iota
	yes
	no
)

// Scan returns a scanner, which must be closed.
func (v *View) Scan(q ScanQuery) *Scanner {
	return &Scanner{r: v.n.replica, q: q, next: q.After + 1}
}

// At is the seq up to which all was looked at.
func (s *Scanner) At() fsm.Seq { return s.next - 1 }

// Skipped are the readings before those of the last Next that the site no
// longer keeps. First is 0 where there are none.
func (s *Scanner) Skipped() fsm.Interval { return s.skipped }

// Close frees what the scanner holds.
func (s *Scanner) Close() { s.drop() }

func (s *Scanner) drop() {
	s.rows, s.names, s.picked = nil, nil, nil
	if s.release != nil {
		s.release()
		s.release = nil
	}
}

// Next returns at most limit readings up to the seq last, of one part of the
// history: there may be fewer, or none, before the end. At tells how far it
// came. Errors: ErrMissing, ErrBusy when maxScans are under way,
// context errors.
func (s *Scanner) Next(ctx context.Context, last fsm.Seq, limit int) ([]fsm.Reading, error) {
	s.skipped = fsm.Interval{}
	if s.next > last {
		return nil, nil
	}
	if s.rows == nil || s.next > s.until {
		if err := s.load(ctx, last); err != nil || s.next > last {
			return nil, err
		}
		if s.rows == nil { // the state went back to a snapshot's
			return nil, ErrMissing
		}
	}
	var out []fsm.Reading
	for i := int(s.next - s.rows.First); s.next <= min(s.until, last) && len(out) < limit; i++ {
		if t := s.rows.Time[i]; s.q.From <= t && t < s.q.To && s.pick(s.rows.Series[i]) && !s.gone(i) {
			out = append(out, s.rows.Reading(i, s.names))
		}
		s.next++
	}
	if s.next > s.until {
		s.drop()
	}
	return out, nil
}

func (s *Scanner) pick(series uint32) bool {
	if s.picked == nil {
		return s.q.Filter.Match(s.names.Series[series])
	}
	if s.picked[series] == notAsked {
		s.picked[series] = no
		if s.q.Filter.Match(s.names.Series[series]) {
			s.picked[series] = yes
		}
	}
	return s.picked[series] == yes
}

// gone tells that row i was erased, in its file or not yet.
func (s *Scanner) gone(i int) bool {
	device := s.names.Series[s.rows.Series[i]].Device
	return fsm.IsErased(device) || len(s.erased) > 0 && s.erased.Erased(fsm.Readings, device, s.next)
}

// load finds the part that holds next. Where nothing in a part can be asked
// for, or a part is no longer kept, next goes beyond it. Without rows all up to
// last was looked at, or all there is.
func (s *Scanner) load(ctx context.Context, last fsm.Seq) error {
	s.drop()
	h := s.r.history(fsm.Readings, s.next)
	s.erased = h.erased
	if s.next < h.kept && s.next <= last {
		s.skip(min(h.kept, last+1))
	}
	for _, p := range h.closed {
		if p.cut.First > last {
			break
		}
		if p.until < s.next { // its file has more than is closed here
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.cut.First > s.next {
			s.skip(p.cut.First)
		}
		mayHold, err := s.mayHold(p)
		if err != nil {
			return fmt.Errorf("readings %d to %d: %w", p.cut.First, p.cut.Last, err)
		}
		if mayHold {
			return s.hold(ctx, p)
		}
		s.next = min(p.until, last) + 1
	}
	if h.head.First > s.next && s.next <= last {
		s.skip(min(h.head.First, last+1))
	}
	if s.next <= last && s.next >= h.head.First && s.next <= h.head.Last() {
		s.take(&h.head, &h.names, h.head.Last())
	}
	return nil
}

// skip goes to a seq over readings that are not kept.
func (s *Scanner) skip(to fsm.Seq) {
	if s.skipped.First == 0 {
		s.skipped.First = s.next
	}
	s.skipped.Last = to - 1
	s.next = to
}

// mayHold tells, without reading rows, that a part may hold what is asked for.
func (s *Scanner) mayHold(p part) (bool, error) {
	prefix := s.q.Filter.DevicePrefix()
	if p.memory != nil || prefix == "" && s.q.From == math.MinInt64 && s.q.To == math.MaxInt64 {
		return true, nil
	}
	span, err := s.r.spanOf(p.cut)
	if err != nil {
		return false, err
	}
	reaches := span.device.Max >= prefix && (span.device.Min <= prefix || strings.HasPrefix(span.device.Min, prefix))
	return reaches && span.time.Min < s.q.To && s.q.From <= span.time.Max, nil
}

// hold takes the rows of a closed part, and waits for its turn to hold those of
// a file.
func (s *Scanner) hold(ctx context.Context, p part) error {
	if p.memory == nil {
		wait, cancel := context.WithTimeout(ctx, scanWait)
		defer cancel()
		select {
		case s.r.scans <- struct{}{}:
			s.release = func() { <-s.r.scans }
		case <-wait.Done():
			if err := ctx.Err(); err != nil {
				return err
			}
			return ErrBusy
		}
	}
	rows, names, err := s.r.rows(p)
	if err != nil {
		s.drop()
		return fmt.Errorf("readings %d to %d: %w", p.cut.First, p.cut.Last, err)
	}
	s.take(rows, names, p.until)
	return nil
}

func (s *Scanner) take(rows *fsm.Rows, names *fsm.Names, until fsm.Seq) {
	s.rows, s.names, s.until = rows, names, min(until, rows.Last())
	if !s.q.Filter.All() && int(rows.Last()-s.next) >= len(names.Series) {
		s.picked = make([]pick, len(names.Series))
	}
}
