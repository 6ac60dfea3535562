package cluster

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"skerry/cluster/archive"
	"skerry/fsm"
)

// saveStuck is how long a save waits for rows that this node does not hold yet.
const saveStuck = 2 * time.Minute

// ErrDropped: rows that a snapshot file was to hold were dropped while it was
// written.
var ErrDropped = errors.New("retention dropped readings while the file was written: save again")

// Save writes the whole site, as it is at a moment after the call, to w: see
// package archive. It holds every reading acknowledged before the call. Rows that
// this node lacks come from its peers. It needs memory for pieces only, beside a
// state as it was. Errors: ErrNoLeader, ErrDropped, ErrMissing, w's.
func (n *Node) Save(ctx context.Context, w io.Writer) error {
	if _, err := n.View(ctx, Linearizable); err != nil {
		return err
	}
	n.replica.mu.RLock()
	snapshot := n.replica.state.Snapshot()
	manifest := n.manifest()
	n.replica.mu.RUnlock()
	manifest.Segments = len(snapshot.Cuts(fsm.Readings)) + len(snapshot.Cuts(fsm.Frames))
	manifest.OpenFrames = len(snapshot.OpenFrames())

	a, err := archive.NewWriter(w, manifest)
	if err != nil {
		return err
	}
	if err := addTwice(a, archive.Section{Kind: archive.State}, func(w io.Writer) error {
		_, err := snapshot.WriteTo(w)
		return err
	}); err != nil {
		return err
	}
	if err := n.saveCuts(ctx, a, archive.Readings, fsm.Readings, snapshot); err != nil {
		return err
	}
	if err := n.saveCuts(ctx, a, archive.Frames, fsm.Frames, snapshot); err != nil {
		return err
	}
	for _, f := range snapshot.OpenFrames() {
		if err := n.saveFrame(ctx, a, f.Seq); err != nil {
			return err
		}
	}
	return a.Close()
}

// manifest is what a file says of itself. The caller holds replica.mu.
func (n *Node) manifest() archive.Summary {
	s := n.replica.state
	g, _ := s.Genesis()
	m := archive.Summary{
		Site: g.Site, Lineage: hex.EncodeToString(g.Lineage[:]), Incarnation: s.Incarnation(), Level: uint32(s.Level()),
		Digest: s.DigestString(), Node: n.cfg.Name, Version: n.cfg.Version,
		Created: n.cfg.Seams.Wall().UTC().Format(time.RFC3339),
		LastSeq: uint64(s.LastSeq(fsm.Readings)), LastFrame: uint64(s.LastSeq(fsm.Frames)),
		Series: s.SeriesCount(), Devices: len(s.RegisteredDevices()), Gaps: len(s.Gaps()),
	}
	if head, _ := s.Head(); head.Len() > 0 {
		m.FirstSeq = uint64(head.First)
	}
	if cuts := s.Cuts(fsm.Readings); len(cuts) > 0 {
		m.FirstSeq = uint64(cuts[0].First)
	}
	return m
}

// addTwice adds a section of what write writes. It calls write twice, first to
// learn the size: what does not lie in a file of its own is small.
func addTwice(a *archive.Writer, s archive.Section, write func(io.Writer) error) error {
	var size counter
	if err := write(&size); err != nil {
		return err
	}
	s.Size = int64(size)
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(write(w)) // the reader is told
	}()
	err := a.Add(s, r)
	_ = r.CloseWithError(err) // the writer ends
	<-done
	if errors.Is(err, ErrMissing) { // a part is written: it is too late to try again
		return ErrDropped
	}
	return err
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func (n *Node) saveCuts(ctx context.Context, a *archive.Writer, kind archive.Kind, stream fsm.Stream, s *fsm.Snapshot) error {
	for _, c := range s.Cuts(stream) {
		if err := n.saveCut(ctx, a, archive.Section{Kind: kind, First: uint64(c.First), Last: uint64(c.Last)}, stream, c); err != nil {
			return err
		}
	}
	return nil
}

// saveCut adds the cut's own file as it is, or its rows from one with others.
func (n *Node) saveCut(ctx context.Context, a *archive.Writer, s archive.Section, stream fsm.Stream, c fsm.Cut) error {
	return n.awaitHere(ctx, fmt.Sprintf("%s %d to %d", stream, c.First, c.Last), func() error {
		if !n.replica.lists(stream, c) {
			return ErrDropped
		}
		seg, release, err := n.replica.segments.use(stream, c)
		if errors.Is(err, ErrMissing) {
			return addTwice(a, s, func(w io.Writer) error { return n.WriteSegment(ctx, stream, c, w) })
		}
		if err != nil {
			return err
		}
		defer release()
		s.Size = seg.size
		return a.Add(s, io.NewSectionReader(seg.file, 0, seg.size))
	})
}

func (n *Node) saveFrame(ctx context.Context, a *archive.Writer, seq fsm.Seq) error {
	var jpeg []byte
	if err := n.awaitHere(ctx, fmt.Sprintf("frame %d", seq), func() (err error) {
		jpeg, err = n.replica.frameBytes(seq)
		return err
	}); err != nil {
		return err
	}
	return a.Add(archive.Section{Kind: archive.Frame, First: uint64(seq), Last: uint64(seq), Size: int64(len(jpeg))}, bytes.NewReader(jpeg))
}

// awaitHere calls get until it does not fail with ErrMissing: what was just cut
// is being written, and what a snapshot did not bring is being fetched.
func (n *Node) awaitHere(ctx context.Context, what string, get func() error) error {
	timeout := time.NewTimer(saveStuck)
	defer timeout.Stop()
	for {
		changed := n.replica.closing.wait()
		err := get()
		if !errors.Is(err, ErrMissing) {
			return err
		}
		select {
		case <-changed:
		case <-time.After(fetchPause):
		case <-timeout.C:
			return fmt.Errorf("%s: %w", what, err)
		case <-ctx.Done():
			return ctx.Err()
		case <-n.closed:
			return ErrClosed
		}
	}
}

// lists reports that the state still has a cut.
func (r *replica) lists(stream fsm.Stream, c fsm.Cut) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, have := range r.state.Cuts(stream) {
		if have == c {
			return true
		}
	}
	return false
}
