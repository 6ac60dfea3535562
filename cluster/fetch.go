package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/transport"
	"skerry/fsm"
	"skerry/fsm/segment"
)

const (
	fetchChunk = 1 << 20 // bytes of a segment asked for at once
	fetchPause = time.Second
)

// segmentRequest is the body of callSegment: stream u8, first u64, last u64,
// digest 2 x u64, day u32, offset u64, all little-endian. The answer is the
// file's size u64 and up to fetchChunk bytes from offset.
const segmentRequestSize = 1 + 8 + 8 + 16 + 4 + 8

func appendSegmentRequest(b []byte, s fsm.Stream, c fsm.Cut, offset int64) []byte {
	b = append(b, byte(s))
	for _, v := range []uint64{uint64(c.First), uint64(c.Last), c.Digest[0], c.Digest[1]} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Day))
	return binary.LittleEndian.AppendUint64(b, uint64(offset))
}

func (n *Node) serveSegment(b []byte) ([]byte, error) {
	if len(b) != segmentRequestSize {
		return nil, errShort
	}
	u := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	c := fsm.Cut{First: fsm.Seq(u(1)), Last: fsm.Seq(u(9)), Digest: fsm.RowDigest{u(17), u(25)}, Day: int32(binary.LittleEndian.Uint32(b[33:]))}
	seg, release, err := n.replica.segments.use(fsm.Stream(b[0]), c)
	if err != nil {
		return nil, err
	}
	defer release()
	// Whoever has more than there is hears the size, and finds out that it
	// began with another file.
	offset := int64(min(u(37), uint64(seg.size)))
	chunk := make([]byte, min(fetchChunk, seg.size-offset))
	if _, err := io.ReadFull(io.NewSectionReader(seg.file, offset, int64(len(chunk))), chunk); err != nil {
		return nil, err
	}
	return append(binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(chunk)), uint64(seg.size)), chunk...), nil
}

// fetchMissing brings rows that this node lacks from its peers until ctx is
// done.
func (n *Node) fetchMissing(ctx context.Context) {
	for {
		changed := n.replica.closing.wait()
		stuck := false
		for _, m := range n.replica.missingCuts() {
			if err := n.fetchCut(ctx, m.stream, m.cut); err != nil {
				if ctx.Err() != nil {
					return
				}
				stuck = true
				n.log.Warn("a segment was not fetched", "stream", m.stream, "first", m.cut.First, "err", err)
			}
		}
		stuck = n.fetchFrames(ctx) || stuck
		if stuck {
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

type missingCut struct {
	stream fsm.Stream
	cut    fsm.Cut
}

func (r *replica) missingCuts() []missingCut {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var list []missingCut
	for k, c := range r.missing {
		list = append(list, missingCut{k.stream, c})
	}
	return list
}

// fetchCut brings one cut's file; what a peer that went away gave of it is
// kept, and the next goes on from there only if it holds the same file.
func (n *Node) fetchCut(ctx context.Context, s fsm.Stream, c fsm.Cut) error {
	err := ErrMissing
	for _, p := range n.otherServers() {
		if err = n.fetchFrom(ctx, p, s, c); err == nil {
			if err := n.dropParts(s, c); err != nil {
				n.log.Warn("parts of a fetched segment were not removed", "err", err)
			}
			n.log.Info("fetched a segment", "stream", s, "first", c.First, "last", c.Last, "from", nodeName(p.ID))
			return nil
		}
	}
	return err
}

func (n *Node) fetchFrom(ctx context.Context, p transport.Peer, s fsm.Stream, c fsm.Cut) error {
	part := partName(s, c, p.ID)
	f, err := n.disk.Open(part)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = n.disk.Create(part)
	}
	if err != nil {
		return err
	}
	err = n.download(ctx, p, s, c, f)
	var seg *segment.Segment
	if err == nil {
		var size int64
		if size, err = f.Size(); err == nil {
			if seg, err = segment.Open(f, size); err == nil {
				err = seg.Verify(c)
			}
		}
		if err == nil {
			err = f.Sync()
		} else {
			err = errors.Join(err, f.Truncate(0)) // begin again next time
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	name := segmentName(s, c)
	if err := n.disk.Rename(part, name); err != nil {
		return err
	}
	if err := n.disk.SyncDir(segmentDir(s)); err != nil {
		return err
	}
	return n.replica.fetched(s, c)
}

const partSuffix = ".part"

// partName is where a segment is gathered from one peer.
func partName(s fsm.Stream, c fsm.Cut, from raft.ServerID) string {
	return fmt.Sprintf("%s.%x%s", segmentName(s, c), fsm.HashString(string(from)), partSuffix)
}

// dropParts removes what was gathered of a cut that is here now.
func (n *Node) dropParts(s fsm.Stream, c fsm.Cut) error {
	names, err := n.disk.List(segmentDir(s))
	if err != nil {
		return err
	}
	whole := path.Base(segmentName(s, c))
	for _, name := range names {
		if strings.HasPrefix(name, whole) && strings.HasSuffix(name, partSuffix) {
			err = errors.Join(err, n.disk.Remove(segmentDir(s)+"/"+name))
		}
	}
	return err
}

func (n *Node) download(ctx context.Context, p transport.Peer, s fsm.Stream, c fsm.Cut, f disk.File) error {
	for {
		have, err := f.Size()
		if err != nil {
			return err
		}
		b, err := n.call(ctx, p, callSegment, appendSegmentRequest(nil, s, c, have))
		if err != nil {
			return err
		}
		if len(b) < 8 {
			return errShort
		}
		size := int64(binary.LittleEndian.Uint64(b))
		if _, err := f.Write(b[8:]); err != nil {
			return err
		}
		if have+int64(len(b)-8) >= size {
			return nil
		}
		if len(b) == 8 {
			return errShort
		}
	}
}

// fetched lists a file that was brought.
func (r *replica) fetched(s fsm.Stream, c fsm.Cut) error {
	if !r.segments.adopt(s, c) {
		return fmt.Errorf("segment %d to %d: %w", c.First, c.Last, segment.ErrDamaged)
	}
	r.mu.Lock()
	r.covered(s, c)
	r.mu.Unlock()
	r.closing.notify()
	return nil
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
			break
		}
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.missingFrames) > 0
}
