package cluster

import (
	"context"
	"io"

	"skerry/fsm"
	"skerry/fsm/segment"
)

// SegmentFile is the path of this node's own durable Parquet file whose rows
// are exactly the cut, if it has one: see WriteSegment for those that lie in a
// file with others.
func (n *Node) SegmentFile(s fsm.Stream, c fsm.Cut) (path string, ok bool) {
	h := n.replica.segments.covering(s, c)
	if h == nil || h.first != c.First || h.last != c.Last || n.replica.unclean(h) {
		return "", false
	}
	path = n.disk.Path(h.name())
	return path, path != ""
}

// WriteSegment writes a Parquet file of the cut's rows to w, from the file that
// holds them with those of other cuts. Errors: ErrMissing when they are not in
// a file here, or not yet; those of ctx, w and the disk.
func (n *Node) WriteSegment(ctx context.Context, s fsm.Stream, c fsm.Cut, w io.Writer) error {
	h := n.replica.segments.covering(s, c)
	if h == nil || n.replica.unclean(h) {
		return ErrMissing
	}
	err := n.replica.withHeld(h, func(seg *openSegment) error {
		return mergeInto(ctx, w, n.cfg.Site, s, c, []*segment.Segment{seg.Segment})
	})
	if err != nil && isRot(err) {
		return ErrMissing // it is fetched
	}
	return err
}

// SuspectSegment has this node read the file of a cut soon, because somebody
// found damage in it. It does not block.
func (n *Node) SuspectSegment(s fsm.Stream, c fsm.Cut) {
	h := n.replica.segments.covering(s, c)
	if h == nil {
		return
	}
	select {
	case n.suspects <- h:
	default: // the scrub comes by, later
	}
}
