package cluster

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"syscall"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// isRot reports that an error of a file is the file's own: reading it again
// does not help, another node's copy does.
func isRot(err error) bool {
	return errors.Is(err, segment.ErrDamaged) || errors.Is(err, segment.ErrForeign) || errors.Is(err, syscall.EIO) ||
		errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF)
}

// withSegment calls f with the file of just these rows. Where f finds rot the
// file is set aside and its rows are fetched from a peer. A file that is not
// here is borrowed. Errors: ErrMissing, those of f.
func (r *replica) withSegment(s fsm.Stream, c fsm.Cut, f func(*segment.Segment) error) error {
	if h := r.segments.exact(s, c); h != nil {
		return r.withHeld(h, func(o *openSegment) error { return f(o.Segment) })
	}
	seg, err := r.borrows.get(s, c)
	if err != nil {
		return err
	}
	return f(seg)
}

func (r *replica) withHeld(h *held, f func(*openSegment) error) error {
	seg, release, err := r.segments.useHeld(h)
	if err == nil {
		err = f(seg)
		release()
	}
	if err != nil && isRot(err) {
		r.rotten(h, err)
	}
	return err
}

// rotten sets a file aside for why and has its rows fetched. A node alone keeps
// the file where it is: most of it can still be read, and nobody has another.
func (r *replica) rotten(h *held, why error) {
	if !r.segments.inUse(h) {
		return // somebody else has seen it too
	}
	r.scrubbed.rot.found[rotSegments].Add(1)
	if r.alone != nil && r.alone() {
		r.log.Error("a file is damaged and no other node has its rows", "file", h.name(), "err", why)
		return
	}
	r.log.Error("a file is damaged: it is set aside and its rows come from another node", "file", h.name(), "err", why)
	if err := r.segments.setAside(h); err != nil {
		r.log.Error("a damaged file was not set aside", "file", h.name(), "err", err)
		return
	}
	r.mu.Lock()
	r.lost(h)
	r.noteAwaited(awaited{stream: h.stream, first: h.first, last: h.last})
	r.mu.Unlock()
	r.closing.notify()
}

// maxAwaited bounds the rows that are awaited: what is lost beyond that is
// fetched all the same, and not counted as repaired.
const maxAwaited = 1024

// awaited are rows, or a frame, that come from a peer because they had rotted.
type awaited struct {
	stream      fsm.Stream
	first, last fsm.Seq
	frame       bool
}

// noteAwaited notes rows that are to come back. The caller holds mu.
func (r *replica) noteAwaited(a awaited) {
	if len(r.awaited) < maxAwaited {
		r.awaited = append(r.awaited, a)
	}
}

// countRefound counts what had rotted and is here again.
func (r *replica) countRefound() {
	r.mu.RLock()
	none := len(r.awaited) == 0
	r.mu.RUnlock()
	if none {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited = slices.DeleteFunc(r.awaited, func(a awaited) bool {
		here := !a.frame && r.segments.hasRange(a.stream, a.first, a.last)
		if a.frame {
			_, missing := r.missingFrames[a.first]
			here = !missing
		}
		if here {
			r.scrubbed.rot.repaired[rotSegments].Add(1)
		}
		return here
	})
}

// rottenFrame forgets the bytes of an open frame for why and has them fetched.
func (r *replica) rottenFrame(f fsm.Frame, why error) {
	r.scrubbed.rot.found[rotSegments].Add(1)
	if r.alone != nil && r.alone() {
		r.log.Error("a frame is damaged and no other node has it", "seq", f.Seq, "err", why)
		return
	}
	r.log.Error("a frame is damaged and comes from another node", "seq", f.Seq, "err", why)
	r.mu.Lock()
	if !r.replacing && slices.ContainsFunc(r.state.OpenFrames(), func(o fsm.Frame) bool { return o.Seq == f.Seq }) {
		r.frames.drop(f.Seq, f.Seq)
		r.missingFrames[f.Seq] = f
		r.noteAwaited(awaited{stream: fsm.Frames, first: f.Seq, last: f.Seq, frame: true})
	}
	r.mu.Unlock()
	r.closing.notify()
}

// refound notes that rows came back, by a file of these.
func (r *replica) refound(s fsm.Stream, first, last fsm.Seq) {
	r.mu.Lock()
	for k, c := range r.missing {
		if k.stream == s && first <= c.First && c.Last <= last && r.segments.has(s, c) {
			r.covered(s, c)
		}
	}
	r.mu.Unlock()
	r.dropRotten()
	r.closing.notify()
}

// dropRotten removes the files set aside whose rows are here again.
func (r *replica) dropRotten() {
	for _, s := range dropStreams {
		if err := r.segments.dropRotten(s); err != nil {
			r.log.Warn("a file set aside was not removed", "err", err)
		}
	}
}

// spanning is the cut that the state's cuts from first to last would be as one;
// ok is false where they do not begin and end there.
func (r *replica) spanning(s fsm.Stream, first, last fsm.Seq) (span fsm.Cut, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return spanOfCuts(r.state.Cuts(s), first, last)
}

// missingIn are the cuts within a range whose rows this node lacks, ascending.
func (r *replica) missingIn(s fsm.Stream, first, last fsm.Seq) []fsm.Cut {
	var list []fsm.Cut
	for _, m := range r.missingCuts() {
		if m.stream == s && first <= m.cut.First && m.cut.Last <= last {
			list = append(list, m.cut)
		}
	}
	return list
}
