package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// encodeClosed writes a cut's segment, erased rows erased.
func encodeClosed(w io.Writer, site string, c *fsm.Closed, frames *frameStore, e fsm.Erasures) error {
	if c.Stream == fsm.Readings {
		rows, names := e.EraseRows(&c.Rows, &c.Names)
		_, err := segment.Write(w, site, c.Cut, rows, names)
		return err
	}
	list := slices.Clone(c.Frames) // readers have those of c
	for i := range list {
		if f := &list[i]; e.Erased(fsm.Frames, f.Device, f.Seq) {
			fsm.EraseFrame(f)
		}
	}
	_, err := segment.WriteFrames(w, site, c.Cut, list, func(i int) ([]byte, error) {
		if fsm.IsErased(list[i].Device) {
			return nil, nil
		}
		return frames.jpeg(list[i].Seq)
	})
	return err
}

// part is a piece of a stream's history: a cut in memory, a file of one or more
// cuts, or a cut whose rows are not here.
type part struct {
	cut    fsm.Cut     // of several cuts, what one of them all would be
	memory *fsm.Closed // nil: in a file, or missing
	// until is the last seq that the state has closed of it. A file may have
	// more: one that was written before this node started again from a snapshot
	// and has not yet applied what came after it.
	until fsm.Seq
}

// history is a stream's readings or frames at one moment: closed parts, then
// what is open.
type history struct {
	closed []part
	head   fsm.Rows // of readings
	names  fsm.Names
	frames []fsm.Frame // open
	erased fsm.Erasures
	kept   fsm.Seq // the site has dropped what is before, also where a file has it
}

// gone reports that a row was erased, in its file or not yet.
func (h *history) gone(of fsm.Stream, device string, seq fsm.Seq) bool {
	return fsm.IsErased(device) || len(h.erased) > 0 && h.erased.Erased(of, device, seq)
}

// history begins with the part that holds seq from.
func (r *replica) history(s fsm.Stream, from fsm.Seq) history {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var h history
	memory := map[fsm.Seq]*fsm.Closed{}
	for _, c := range r.pending {
		if c.Stream == s {
			memory[c.Cut.First] = c
		}
	}
	cuts := r.state.Cuts(s)
	files := r.segments.listed(s, from)
	i := sort.Search(len(cuts), func(i int) bool { return cuts[i].Last >= from })
	if len(files) > 0 {
		// The first file may begin with cuts before from.
		i = min(i, sort.Search(len(cuts), func(i int) bool { return cuts[i].First >= files[0].first }))
	}
	for i < len(cuts) {
		p := part{cut: cuts[i], memory: memory[cuts[i].First], until: cuts[i].Last}
		i++
		for len(files) > 0 && files[0].last < p.cut.First {
			files = files[1:]
		}
		if len(files) > 0 && p.memory == nil && files[0].covers(p.cut) {
			for ; i < len(cuts) && files[0].covers(cuts[i]); i++ {
				p.cut = joined(p.cut, cuts[i])
			}
			p.until = p.cut.Last
			p.cut.First, p.cut.Last = files[0].first, files[0].last
		}
		h.closed = append(h.closed, p)
	}
	h.head, h.names = r.state.Head()
	h.frames = r.state.OpenFrames()
	h.erased, _ = r.state.Erasures()
	h.kept = r.state.RetainedFrom(s)
	return h
}

// joined is the cut that two neighbours would be as one.
func joined(a, b fsm.Cut) fsm.Cut {
	a.Last = b.Last
	a.Digest.Add(b.Digest)
	return a
}

// maxDecoded bounds the segments that are kept decoded beside the one that was read
// last, in bytes.
const maxDecoded = 2 << 20

// decodedCache keeps segments that were read whole lately: pages in seq order come
// from the same ones again and again, and small ones share a page.
type decodedCache struct {
	turn turn      // held while decoding, so that one is decoded at a time; guards all
	kept []decoded // by when they were read, the latest last
}

// decoded are the rows of a segment in seq order.
type decoded struct {
	cut   fsm.Cut
	rows  *fsm.Rows
	names *fsm.Names
}

// find returns a segment's rows, and counts it as read last. The caller has the turn.
func (c *decodedCache) find(cut fsm.Cut) (d decoded, ok bool) {
	i := slices.IndexFunc(c.kept, func(d decoded) bool { return d.cut == cut })
	if i < 0 {
		return d, false
	}
	d = c.kept[i]
	c.kept = append(slices.Delete(c.kept, i, i+1), d)
	return d, true
}

// keep takes a segment's rows in, and lets go of those read longest ago. The caller
// has the turn.
func (c *decodedCache) keep(d decoded) {
	room, first := maxDecoded, len(c.kept)
	for first > 0 && c.kept[first-1].rows.Bytes() <= room {
		first--
		room -= c.kept[first].rows.Bytes()
	}
	c.kept = append(slices.Delete(c.kept, 0, first), d)
}

// rows returns a part's rows in seq order; they are shared.
func (r *replica) rows(p part) (rows *fsm.Rows, names *fsm.Names, err error) {
	if p.memory != nil {
		return &p.memory.Rows, &p.memory.Names, nil
	}
	c := &r.decoded
	c.turn.Lock()
	defer c.turn.Unlock()
	if d, ok := c.find(p.cut); ok {
		return d.rows, d.names, nil
	}
	err = r.withSegment(fsm.Readings, p.cut, func(seg *segment.Segment) error {
		rows, names, err = seg.All()
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	c.keep(decoded{p.cut, rows, names})
	return rows, names, nil
}

// after returns up to limit readings with seq > after, in seq order.
func (r *replica) after(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error) {
	h := r.history(fsm.Readings, after+1)
	after = max(after, h.kept-1)
	var out []fsm.Reading
	if last := h.head.Last(); last > after {
		out = make([]fsm.Reading, 0, min(fsm.Seq(limit), last-after))
	}
	take := func(rows *fsm.Rows, names *fsm.Names, until fsm.Seq) {
		i := 0
		if after+1 > rows.First {
			i = int(after + 1 - rows.First)
		}
		for ; i < rows.Len() && rows.First+fsm.Seq(i) <= until && len(out) < limit; i++ {
			if device := names.Series[rows.Series[i]].Device; !h.gone(fsm.Readings, device, rows.First+fsm.Seq(i)) {
				out = append(out, rows.Reading(i, names))
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
		rows, names, err := r.rows(p)
		if err != nil {
			return nil, fmt.Errorf("readings %d to %d: %w", p.cut.First, p.cut.Last, err)
		}
		take(rows, names, p.until)
	}
	take(&h.head, &h.names, h.head.Last())
	return out, nil
}

// framesAfter lists up to limit frames with seq > after.
func (r *replica) framesAfter(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Frame, error) {
	h := r.history(fsm.Frames, after+1)
	var out []fsm.Frame
	after = max(after, h.kept-1)
	take := func(frames []fsm.Frame, until fsm.Seq) {
		for _, f := range frames {
			if f.Seq > after && f.Seq <= until && len(out) < limit && !h.gone(fsm.Frames, f.Device, f.Seq) {
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
		take(frames, p.until)
	}
	take(h.frames, math.MaxInt64)
	return out, nil
}

func (r *replica) framesOf(p part) (frames []fsm.Frame, err error) {
	if p.memory != nil {
		return p.memory.Frames, nil
	}
	err = r.withSegment(fsm.Frames, p.cut, func(seg *segment.Segment) error {
		frames, err = seg.Frames()
		return err
	})
	return frames, err
}

// frameBytes returns a frame's JPEG from the open frames or a segment.
func (r *replica) frameBytes(seq fsm.Seq) ([]byte, error) {
	b, err := r.frames.jpeg(seq)
	if !errors.Is(err, ErrMissing) {
		return b, err
	}
	h := r.history(fsm.Frames, seq)
	if len(h.closed) == 0 || seq < max(h.kept, h.closed[0].cut.First) {
		return nil, ErrMissing
	}
	file := r.segments.exact(fsm.Frames, h.closed[0].cut)
	if file == nil {
		return nil, ErrMissing // who asks asks others: a frame alone is less than a file
	}
	err = r.withHeld(file, func(s *openSegment) error {
		b, err = s.JPEG(seq)
		return err
	})
	return b, err
}
