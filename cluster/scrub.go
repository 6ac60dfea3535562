package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"skerry/cluster/gentle"
	"skerry/fsm"
	"skerry/fsm/segment"
)

const (
	// scrubRound is how long one reading of everything takes, unless that needs
	// more than the profile's bytes per second.
	scrubRound = 7 * 24 * time.Hour
	// minScrub is the least pace, in bytes per second.
	minScrub = 16 << 10
	// scrubRest is the wait between two rounds: a small history is read once a
	// day, not all the time.
	scrubRest = 24 * time.Hour
	// maxSuspects bounds the files that peers told of and that wait to be read.
	maxSuspects = 16
)

// scrubCounts count since the start of the process.
type scrubCounts struct {
	bytes   atomic.Uint64 // read by the scrub
	rounds  atomic.Uint64
	rot     rotCounts
	fetched atomic.Uint64 // files brought from peers
	merged  atomic.Uint64 // files that were made into larger ones
}

// ScrubStatus counts, since the start of the process, what was read again and
// what became of it.
type ScrubStatus struct {
	Bytes   uint64 `json:"bytes"`   // read by the scrub
	Rounds  uint64 `json:"rounds"`  // in which it read everything
	Found   uint64 `json:"found"`   // of all kinds, see Rot
	Fetched uint64 `json:"fetched"` // files that came from peers, for whatever reason
	Merged  uint64 `json:"merged"`  // small files that became parts of larger ones
	// Rot is what was not as it was written.
	Rot RotStatus `json:"rot"`
}

func (c *scrubCounts) status() ScrubStatus {
	return ScrubStatus{c.bytes.Load(), c.rounds.Load(), c.rot.total(), c.fetched.Load(), c.merged.Load(), c.rot.status()}
}

// scrub reads everything that this node keeps, over and over, at its pace.
// What is not as it was written is set aside and comes from a peer.
func (n *Node) scrub(ctx context.Context) {
	n.readFooters(ctx)
	n.scrubAt = loadScrubPosition(n.disk)
	for ctx.Err() == nil {
		h := n.nextToScrub()
		if h == nil {
			n.endScrubRound(ctx)
			continue
		}
		n.readSuspects(ctx)
		_ = n.verify(ctx, h, n.scrubPace()) // what it finds it tells
		n.scrubAt.passed(h)
		n.saveScrubPosition(false)
	}
	n.saveScrubPosition(true)
}

// Scrub reads everything once, now and as fast as it can, and returns how much was
// not as it was written: files, frames, snapshots, entries of the log. It comes
// from peers or from memory, soon.
func (n *Node) Scrub(ctx context.Context) (found int, err error) {
	before := n.replica.scrubbed.rot.total()
	for _, s := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		for _, h := range n.replica.segments.listed(s, 0) {
			_ = n.verify(ctx, h, newPace(0)) // what it finds it tells
		}
	}
	n.scrubFrames(ctx)
	n.scrubRaft(ctx, newPace(0))
	return int(n.replica.scrubbed.rot.total() - before), ctx.Err()
}

// nextToScrub is the file after the last one read, nil at the end of a round.
func (n *Node) nextToScrub() *held {
	for ; n.scrubAt.stream <= fsm.Frames; n.scrubAt.nextStream() {
		if list := n.replica.segments.listed(n.scrubAt.stream, n.scrubAt.after+1); len(list) > 0 {
			return list[0]
		}
	}
	return nil
}

// endScrubRound reads what is not in files of rows, and begins again.
func (n *Node) endScrubRound(ctx context.Context) {
	n.scrubFrames(ctx)
	n.scrubRaft(ctx, n.scrubPace())
	n.scrubAt = scrubPosition{saved: n.scrubAt.saved}
	if n.replica.bytes() > 0 {
		n.replica.scrubbed.rounds.Add(1)
	}
	n.saveScrubPosition(false)
	timer := time.NewTimer(scrubRest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case h := <-n.suspects:
		_ = n.verify(ctx, h, newPace(0)) // what it finds it tells
	case <-ctx.Done():
	}
}

// bytes is about the size of all files of rows.
func (r *replica) bytes() int64 {
	return r.segments.bytesOf(fsm.Readings) + r.segments.bytesOf(fsm.Frames)
}

// scrubPace is such that a round takes scrubRound, within the profile's bound.
func (n *Node) scrubPace() *pace {
	if n.cfg.ScrubRate > 0 {
		return newPace(n.cfg.ScrubRate)
	}
	week := n.replica.bytes() / int64(scrubRound/time.Second)
	return newPace(min(max(week, minScrub), n.profile.scrubBytes))
}

// readSuspects reads what peers found to be other than its cut.
func (n *Node) readSuspects(ctx context.Context) {
	for {
		select {
		case h := <-n.suspects:
			_ = n.verify(ctx, h, newPace(n.profile.scrubBytes)) // what it finds it tells
		default:
			return
		}
	}
}

// serveSuspect notes that a peer found a file damaged that it got from here.
func (n *Node) serveSuspect(b []byte) ([]byte, error) {
	if len(b) != 1+fileIDSize {
		return nil, errShort
	}
	if fsm.Stream(b[0]) > fsm.Frames {
		return nil, errStreamName
	}
	id := parseFileID(b[1:])
	n.SuspectSegment(fsm.Stream(b[0]), fsm.Cut{First: id.first, Last: id.last})
	return nil, nil
}

// verify reads a whole file and compares it with the cuts it is to hold. The
// error is what was found, and it was acted on.
func (n *Node) verify(ctx context.Context, h *held, p *pace) error {
	r := n.replica
	f, size, seg, err := r.segments.read(h)
	if err == nil {
		defer func() { _ = f.Close() }() // read only
		want := seg.Cut()
		if span, ok := r.spanning(h.stream, h.first, h.last); ok {
			want = span
		}
		// A reader of its own: the pages go by once, at their pace.
		if seg, err = segment.Open(gentle.Begin(ctx, nil).Reader(&pacedReader{ctx: ctx, r: f, pace: p, count: &r.scrubbed.bytes}), size); err == nil {
			err = seg.Verify(want)
		}
	}
	switch {
	case err == nil || ctx.Err() != nil:
		return nil
	case errors.Is(err, segment.ErrOtherRows):
		err = fmt.Errorf("%w: %w", segment.ErrDamaged, err)
		fallthrough
	case isRot(err):
		r.rotten(h, err)
	default:
		n.log.Warn("a file was not read", "file", h.name(), "err", err)
	}
	return err
}

// pacedReader reads no faster than its pace.
type pacedReader struct {
	ctx   context.Context
	r     io.ReaderAt
	pace  *pace
	count *atomic.Uint64
}

func (p *pacedReader) ReadAt(b []byte, off int64) (int, error) {
	if err := p.pace.take(p.ctx, len(b)); err != nil {
		return 0, err
	}
	p.count.Add(uint64(len(b)))
	return p.r.ReadAt(b, off)
}

// readFooters reads the footers of files that were listed by their names when the
// node started, and compares them with the cuts.
func (n *Node) readFooters(ctx context.Context) {
	for _, s := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		for _, h := range n.replica.segments.listed(s, 0) {
			if ctx.Err() != nil {
				return
			}
			err := n.replica.segments.know(h)
			if err == nil {
				err = n.replica.agrees(h)
			}
			if err != nil && isRot(err) {
				n.replica.rotten(h, err)
			}
		}
	}
	n.replica.dropRotten()
	n.replica.closing.notify() // merging may begin
}

// agrees compares a footer with the state's cuts, as far as it has them.
func (r *replica) agrees(h *held) error {
	span, ok := r.spanning(h.stream, h.first, h.last)
	r.segments.mu.Lock()
	defer r.segments.mu.Unlock()
	if ok && h.known && h.cut != span {
		return fmt.Errorf("%w: its rows are not those of the cuts", segment.ErrDamaged)
	}
	return nil
}

// scrubFrames reads the open frames.
func (n *Node) scrubFrames(ctx context.Context) {
	r := n.replica
	for _, f := range r.history(fsm.Frames, 1).frames {
		if n.scrubPace().take(ctx, int(f.Size)) != nil {
			return
		}
		if err := r.frames.check(f); err != nil && !errors.Is(err, ErrMissing) {
			r.rottenFrame(f, err)
		}
	}
}
