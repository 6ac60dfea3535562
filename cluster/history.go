package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// encodeClosed writes a cut's segment.
func encodeClosed(w io.Writer, site string, c *fsm.Closed, frames *frameStore) error {
	var err error
	if c.Stream == fsm.Frames {
		_, err = segment.WriteFrames(w, site, c.Cut, c.Frames, func(i int) ([]byte, error) { return frames.jpeg(c.Frames[i].Seq) })
	} else {
		_, err = segment.Write(w, site, c.Cut, &c.Rows, &c.Names)
	}
	return err
}

// part is a piece of a stream's history, from memory or from a segment.
type part struct {
	cut    fsm.Cut
	memory *fsm.Closed // nil: in a segment
}

// history is a stream's readings or frames at one moment: closed parts, then
// what is open.
type history struct {
	closed []part
	head   fsm.Rows // of readings
	names  fsm.Names
	frames []fsm.Frame // open
}

// history begins with the part that holds seq from.
func (r *replica) history(s fsm.Stream, from fsm.Seq) history {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var h history
	cuts := r.state.Cuts(s)
	i := sort.Search(len(cuts), func(i int) bool { return cuts[i].Last >= from })
	memory := map[fsm.Seq]*fsm.Closed{}
	for _, c := range r.pending {
		if c.Stream == s {
			memory[c.Cut.First] = c
		}
	}
	for _, c := range cuts[i:] {
		h.closed = append(h.closed, part{c, memory[c.First]})
	}
	h.head, h.names = r.state.Head()
	h.frames = r.state.OpenFrames()
	return h
}

// decodedCache keeps the last segment that was read whole: pages in seq order
// come from the same one again and again.
type decodedCache struct {
	mu    sync.Mutex // held while decoding, so that one is decoded at a time
	cut   fsm.Cut
	rows  *fsm.Rows
	names *fsm.Names
}

// rows returns a part's rows in seq order; they are shared.
func (r *replica) rows(p part) (*fsm.Rows, *fsm.Names, error) {
	if p.memory != nil {
		return &p.memory.Rows, &p.memory.Names, nil
	}
	c := &r.decoded
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows != nil && c.cut == p.cut {
		return c.rows, c.names, nil
	}
	seg, release, err := r.segments.use(fsm.Readings, p.cut)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	rows, names, err := seg.All()
	if err != nil {
		return nil, nil, err
	}
	c.cut, c.rows, c.names = p.cut, rows, names
	return rows, names, nil
}

// after returns up to limit readings with seq > after, in seq order.
func (r *replica) after(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error) {
	h := r.history(fsm.Readings, after+1)
	var out []fsm.Reading
	take := func(rows *fsm.Rows, names *fsm.Names) {
		i := 0
		if after+1 > rows.First {
			i = int(after + 1 - rows.First)
		}
		for ; i < rows.Len() && len(out) < limit; i++ {
			out = append(out, rows.Reading(i, names))
		}
	}
	for _, p := range h.closed {
		if len(out) >= limit {
			return out, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows, names, err := r.rows(p)
		if err != nil {
			return nil, fmt.Errorf("readings %d to %d: %w", p.cut.First, p.cut.Last, err)
		}
		take(rows, names)
	}
	take(&h.head, &h.names)
	return out, nil
}

// byTime is the order of a series' history.
func byTime(a, b fsm.Reading) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq))
}

// earliest keeps the first limit readings in order of time, then seq.
//
// Invariant: where full, list[:limit] is sorted and nothing after its last
// reading is wanted.
type earliest struct {
	limit int
	list  []fsm.Reading
	full  bool
}

// add takes a reading; it returns false for one that is not wanted, nor is any
// after it.
func (e *earliest) add(r fsm.Reading) bool {
	if e.full && byTime(r, e.list[e.limit-1]) > 0 {
		return false
	}
	e.list = append(e.list, r)
	if len(e.list) >= 2*e.limit+64 {
		e.trim()
	}
	return true
}

func (e *earliest) trim() {
	slices.SortFunc(e.list, byTime)
	if len(e.list) > e.limit {
		clear(e.list[e.limit:])
		e.list = e.list[:e.limit]
	}
	e.full = len(e.list) == e.limit
}

// end is the time from which on no reading is wanted.
func (e *earliest) end() int64 {
	if !e.full {
		return math.MaxInt64
	}
	return e.list[e.limit-1].Time + 1
}

// query answers q from all parts.
func (r *replica) query(ctx context.Context, q Query) (Page, error) {
	from, afterSeq, err := parseCursor(q)
	if err != nil {
		return Page{}, err
	}
	if q.Limit < 1 || q.Limit > MaxLimit {
		return Page{}, fmt.Errorf("limit %d is out of range: 1 to %d", q.Limit, MaxLimit)
	}
	found := earliest{limit: q.Limit + 1}
	want := func(x *fsm.Reading) bool {
		return x.Time >= from && x.Time < q.To && (x.Time > from || x.Seq > afterSeq || q.Cursor == "")
	}
	take := func(x fsm.Reading) bool { return !want(&x) || found.add(x) }
	// narrow leaves out what comes after the readings found so far.
	narrow := func() Query {
		if len(found.list) > found.limit {
			found.trim()
		}
		ask := q
		ask.From, ask.To = from, min(q.To, found.end())
		return ask
	}
	h := r.history(fsm.Readings, 1)
	for _, p := range h.closed {
		if err := r.scan(ctx, p, narrow(), take); err != nil {
			return Page{}, fmt.Errorf("readings %d to %d: %w", p.cut.First, p.cut.Last, err)
		}
	}
	scanRows(&h.head, &h.names, narrow(), take)
	found.trim()
	page := Page{Readings: found.list}
	if len(page.Readings) > q.Limit {
		page.Readings = page.Readings[:q.Limit]
		last := page.Readings[q.Limit-1]
		page.Next = fmt.Sprintf("%d.%d", last.Time, last.Seq)
	}
	return page, nil
}

func parseCursor(q Query) (from int64, after fsm.Seq, err error) {
	if q.Cursor == "" {
		return q.From, 0, nil
	}
	t, s, ok := strings.Cut(q.Cursor, ".")
	from, err1 := strconv.ParseInt(t, 10, 64)
	seq, err2 := strconv.ParseUint(s, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("%w: %q", ErrCursor, q.Cursor)
	}
	return from, fsm.Seq(seq), nil
}

// scan calls f for the readings in a part of q's series and times. It may stop
// when f returns false.
func (r *replica) scan(ctx context.Context, p part, q Query, f func(fsm.Reading) bool) error {
	if p.memory != nil {
		scanRows(&p.memory.Rows, &p.memory.Names, q, f)
		return nil
	}
	seg, release, err := r.segments.use(fsm.Readings, p.cut)
	if err != nil {
		return err
	}
	defer release()
	st := seg.Stats()
	if st.Time.Max < q.From || st.Time.Min >= q.To || q.Device < st.Device.Min || q.Device > st.Device.Max {
		return ctx.Err()
	}
	return seg.Series(ctx, q.Device, q.Resource, q.From, q.To, f) // by time
}

// scanRows is scan for rows in memory. They are in seq order, so that one which
// f does not want says nothing of those after it.
func scanRows(rows *fsm.Rows, names *fsm.Names, q Query, f func(fsm.Reading) bool) {
	id := slices.Index(names.Series, fsm.SeriesName{Device: q.Device, Resource: q.Resource})
	if id < 0 {
		return
	}
	for i, s := range rows.Series {
		if s == uint32(id) && q.From <= rows.Time[i] && rows.Time[i] < q.To {
			f(rows.Reading(i, names))
		}
	}
}

// framesAfter lists up to limit frames with seq > after.
func (r *replica) framesAfter(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Frame, error) {
	h := r.history(fsm.Frames, after+1)
	var out []fsm.Frame
	take := func(frames []fsm.Frame) {
		for _, f := range frames {
			if f.Seq > after && len(out) < limit {
				out = append(out, f)
			}
		}
	}
	for _, p := range h.closed {
		if len(out) >= limit {
			return out, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		frames, err := r.framesOf(p)
		if err != nil {
			return nil, fmt.Errorf("frames %d to %d: %w", p.cut.First, p.cut.Last, err)
		}
		take(frames)
	}
	take(h.frames)
	return out, nil
}

func (r *replica) framesOf(p part) ([]fsm.Frame, error) {
	if p.memory != nil {
		return p.memory.Frames, nil
	}
	seg, release, err := r.segments.use(fsm.Frames, p.cut)
	if err != nil {
		return nil, err
	}
	defer release()
	return seg.Frames()
}

// frameBytes returns a frame's JPEG from the open frames or a segment.
func (r *replica) frameBytes(seq fsm.Seq) ([]byte, error) {
	b, err := r.frames.jpeg(seq)
	if !errors.Is(err, ErrMissing) {
		return b, err
	}
	h := r.history(fsm.Frames, seq)
	if len(h.closed) == 0 || seq < h.closed[0].cut.First {
		return nil, ErrMissing
	}
	s, release, err := r.segments.use(fsm.Frames, h.closed[0].cut)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.JPEG(seq)
}
