package cluster

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"skerry/cluster/disk"
	"skerry/cluster/gentle"
	"skerry/cluster/transport"
	"skerry/fsm"
	"skerry/fsm/segment"
)

const (
	fetchPause = time.Second
	// maxFetched bounds the size of a file that a peer may offer.
	maxFetched = 1 << 30
)

// fetchMissing brings rows that this node lacks from its peers until ctx is
// done.
func (n *Node) fetchMissing(ctx context.Context) {
	turn := 0 // where a pass begins: behind what held up the last one
	for {
		changed := n.replica.closing.wait()
		err := n.fetchPass(ctx, &turn)
		if n.fetchFrames(ctx) && err == nil {
			err = fmt.Errorf("open frames: %w", ErrMissing)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			n.log.Warn("rows were not fetched", "err", err)
			if pause(ctx, fetchPause) != nil {
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// fetchPass tries each missing cut once, until peers do not answer. It returns
// the first error.
func (n *Node) fetchPass(ctx context.Context, turn *int) (first error) {
	list := n.replica.missingCuts()
	for i := range list {
		at := (*turn + i) % len(list)
		m := list[at]
		if !n.replica.isMissing(m) {
			continue // it came with another
		}
		err := n.fetchCut(ctx, m.stream, m.cut)
		if err == nil {
			continue
		}
		if first == nil {
			first = fmt.Errorf("%s %d to %d: %w", m.stream, m.cut.First, m.cut.Last, err)
		}
		if !errors.Is(err, ErrMissing) {
			*turn = at + 1
			return first
		}
	}
	return first
}

type missingCut struct {
	stream fsm.Stream
	cut    fsm.Cut
}

// missingCuts are the cuts whose rows this node lacks, by stream and seq.
func (r *replica) missingCuts() []missingCut {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]missingCut, 0, len(r.missing))
	for k, c := range r.missing {
		list = append(list, missingCut{k.stream, c})
	}
	slices.SortFunc(list, func(a, b missingCut) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.cut.First, b.cut.First))
	})
	return list
}

func (r *replica) isMissing(m missingCut) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c, ok := r.missing[segmentKey{m.stream, m.cut.First}]
	return ok && c == m.cut
}

// fetchCut brings a file that holds one cut's rows, and with it what else of
// the file is missing. Peers are asked in turns, so that the work is shared.
func (n *Node) fetchCut(ctx context.Context, s fsm.Stream, c fsm.Cut) error {
	err := ErrMissing
	peers := n.otherServers()
	n.fetchTurn++
	for i := range peers {
		p := peers[(n.fetchTurn+i)%len(peers)]
		if err = n.fetchFrom(ctx, p, s, c); err == nil {
			n.replica.scrubbed.fetched.Add(1)
			if err := n.dropParts(s); err != nil {
				n.log.Warn("parts of a fetched file were not removed", "err", err)
			}
			n.log.Info("fetched rows", "stream", s, "first", c.First, "last", c.Last, "from", nodeName(p.ID))
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
	}
	return err
}

// fetchFrom brings a file from one peer. What came before is kept, and the next
// goes on from there if it has the same file.
func (n *Node) fetchFrom(ctx context.Context, p transport.Peer, s fsm.Stream, c fsm.Cut) error {
	d := download{n: n, peer: p, stream: s, seq: c.First}
	if err := d.resume(); err != nil {
		return err
	}
	err := d.run(ctx)
	if err == nil {
		err = d.file.Sync()
	}
	if err != nil {
		return errors.Join(err, d.close())
	}
	err = n.accept(ctx, &d)
	if err != nil && ctx.Err() == nil {
		// Its bytes are wrong: begin again next time, and let the peer look.
		err = errors.Join(err, n.disk.Remove(partName(s, d.id)))
		if isRot(err) || errors.Is(err, segment.ErrOtherRows) {
			_, _ = n.call(ctx, p, callSuspect, d.id.append([]byte{byte(s)})) // it finds out by itself, later
		}
	}
	return errors.Join(err, d.close())
}

// download is a file on its way from a peer.
type download struct {
	n      *Node
	peer   transport.Peer
	stream fsm.Stream
	seq    fsm.Seq // that the file is to hold
	id     fileID
	file   disk.File // nil before the first bytes
	have   int64
}

const partSuffix = ".part"

// partName is where a file is gathered.
func partName(s fsm.Stream, id fileID) string {
	return fmt.Sprintf("%s/%020d-%020d.%d-%08x%s", segmentDir(s), id.first, id.last, id.size, id.check, partSuffix)
}

func parsePartName(name string) (id fileID, ok bool) {
	_, err := fmt.Sscanf(name, "%020d-%020d.%d-%08x"+partSuffix, &id.first, &id.last, &id.size, &id.check)
	return id, err == nil && strings.HasSuffix(partName(fsm.Readings, id), "/"+name)
}

// resume opens what was gathered before of a file that holds the seq.
func (d *download) resume() error {
	names, err := d.n.disk.List(segmentDir(d.stream))
	if err != nil {
		return err
	}
	for _, name := range names {
		id, ok := parsePartName(name)
		if !ok || d.seq < id.first || d.seq > id.last {
			continue
		}
		return d.open(id)
	}
	return nil
}

func (d *download) open(id fileID) error {
	name := partName(d.stream, id)
	f, err := d.n.disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.n.disk.Create(name)
	}
	if err != nil {
		return err
	}
	have, err := f.Size()
	if err == nil && have > id.size {
		have, err = 0, f.Truncate(0)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	d.id, d.file, d.have = id, f, have
	return nil
}

func (d *download) close() error {
	if d.file == nil {
		return nil
	}
	return d.file.Close()
}

// run asks for piece after piece.
func (d *download) run(ctx context.Context) error {
	for d.file == nil || d.have < d.id.size {
		q := fileRequest{stream: d.stream, seq: d.seq, begun: d.id, offset: d.have}
		b, err := d.n.call(ctx, d.peer, callFile, q.append(nil))
		if err != nil {
			return err
		}
		if len(b) < fileIDSize {
			return errShort
		}
		id, piece := parseFileID(b), b[fileIDSize:]
		if id != d.id {
			if err := d.turnTo(id); err != nil {
				return err
			}
			if d.have > 0 { // of an earlier try with this very file
				continue
			}
		}
		if len(piece) == 0 || int64(len(piece)) > d.id.size-d.have {
			return errShort
		}
		if _, err := d.file.Write(piece); err != nil {
			return err
		}
		d.have += int64(len(piece))
		if err := d.n.fetchPace.take(ctx, len(piece)); err != nil {
			return err
		}
	}
	return nil
}

// turnTo goes on with another file: the peer does not have the one begun with,
// which may be merged by now.
func (d *download) turnTo(id fileID) error {
	if id.first > d.seq || id.last < d.seq || id.size < 1 || id.size > maxFetched {
		return fmt.Errorf("the peer's file is of %d to %d and has %d bytes", id.first, id.last, id.size)
	}
	if err := d.close(); err != nil {
		return err
	}
	d.file = nil
	if err := d.n.fits(id.size); err != nil {
		return err
	}
	return d.open(id)
}

// accept takes a gathered file into use if it holds what the cuts say. It takes
// the place of smaller ones; where it would split one, only what is missing is
// taken out of it.
func (n *Node) accept(ctx context.Context, d *download) error {
	r := n.replica
	work := gentle.Begin(ctx, nil)
	seg, err := segment.Open(work.Reader(d.file), d.id.size)
	if err != nil {
		return err
	}
	c := seg.Cut()
	if seg.Stream() != d.stream || c.First != d.id.first || c.Last != d.id.last {
		return fmt.Errorf("%w: it holds %s %d to %d", segment.ErrOtherRows, seg.Stream(), c.First, c.Last)
	}
	span, whole := r.spanning(d.stream, c.First, c.Last)
	if !whole {
		span = c // this node has not applied all of its cuts, or dropped some
	}
	if err := seg.Verify(span); err != nil {
		return err
	}
	if whole && !r.segments.splits(d.stream, c.First, c.Last) {
		if err := r.segments.place(partName(d.stream, d.id), d.stream, span); err != nil {
			return err
		}
	} else {
		for _, c := range r.missingIn(d.stream, c.First, c.Last) {
			err := r.segments.write(d.stream, c, func(w io.Writer) error {
				return mergeInto(ctx, work.Writer(w), n.cfg.Site, d.stream, c, []*segment.Segment{seg})
			})
			if err != nil {
				return err
			}
		}
	}
	r.refound(d.stream, c.First, c.Last)
	return nil
}

// dropParts removes what was gathered of files whose rows are here now.
func (n *Node) dropParts(s fsm.Stream) error {
	names, err := n.disk.List(segmentDir(s))
	if err != nil {
		return err
	}
	for _, name := range names {
		id, ok := parsePartName(name)
		if ok && len(n.replica.missingIn(s, id.first, id.last)) == 0 {
			err = errors.Join(err, n.disk.Remove(segmentDir(s)+"/"+name))
		}
	}
	return err
}

// fetchFrames brings the bytes of open frames; it reports whether some are
// still missing.
func (n *Node) fetchFrames(ctx context.Context) (stuck bool) {
	r := n.replica
	r.mu.RLock()
	var want []fsm.Seq
	for seq := range r.missingFrames {
		want = append(want, seq)
	}
	r.mu.RUnlock()
	for _, seq := range want {
		for _, p := range n.otherServers() {
			b, err := n.call(ctx, p, callFrame, binary.LittleEndian.AppendUint64(nil, uint64(seq)))
			if err != nil {
				continue
			}
			if err := r.fetchedFrame(seq, b); err != nil {
				n.log.Warn("a fetched frame was not kept", "seq", seq, "err", err)
			}
			if n.fetchPace.take(ctx, len(b)) != nil {
				return true
			}
			break
		}
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.missingFrames) > 0
}
