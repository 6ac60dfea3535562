package cluster

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
	"skerry/cluster/logstore/snapshots"
	"skerry/cluster/summed"
)

// entryHead is about what the log adds to the data of an entry, in bytes.
const entryHead = 40

// scrubRaft reads again what raft keeps and who the node is. What has rotted is
// put right from memory, at once or by takeSnapshots.
func (n *Node) scrubRaft(ctx context.Context, p *pace) {
	n.scrubIdentity()
	mended, err := n.logs.CheckSmall()
	for _, name := range mended {
		n.mendedRot(rotVotes, raftDir+"/"+name)
	}
	if err != nil {
		return // the store has told it
	}
	n.scrubSnapshots(ctx, p)
	n.scrubLog(ctx, p)
	n.raftRot.rouse()
}

// scrubSnapshots reads all snapshots.
func (n *Node) scrubSnapshots(ctx context.Context, p *pace) {
	list, err := n.logs.Snapshots.List()
	if err != nil {
		n.log.Warn("the snapshots were not read again", "err", err)
	}
	for _, m := range list {
		err := n.logs.Snapshots.VerifyThrough(m.ID, func(r io.Reader) io.Reader {
			return &pacedStream{ctx: ctx, r: r, pace: p, count: &n.replica.scrubbed.bytes}
		})
		if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, snapshots.ErrRotten) {
			n.log.Warn("a snapshot was not read again", "snapshot", m.ID, "err", err)
		}
	}
	if _, err := n.noteSnapshots(); err != nil {
		n.log.Warn("the snapshots were not read again", "err", err)
	}
}

// scrubLog reads the entries that were applied.
func (n *Node) scrubLog(ctx context.Context, p *pace) {
	index, err := n.logs.FirstIndex()
	if err != nil || index == 0 {
		return
	}
	var e raft.Log
	for last := n.raft.AppliedIndex(); index <= last; index++ {
		err := n.logs.Check(index, &e)
		size := len(e.Data) + entryHead
		n.replica.scrubbed.bytes.Add(uint64(size))
		if p.take(ctx, size) != nil {
			return
		}
		switch {
		case errors.Is(err, logstore.ErrRotten):
			known, full := n.raftRot.foundEntry(index)
			if !known {
				n.replica.scrubbed.rot.found[rotLog].Add(1)
				n.log.Error("an entry of the log is damaged: a snapshot takes its place", "index", index, "err", err)
			}
			if full {
				return
			}
		case err != nil && !errors.Is(err, raft.ErrLogNotFound): // dropped meanwhile
			n.log.Warn("the log was not read again", "index", index, "err", err)
			return
		}
	}
}

// pacedStream reads no faster than its pace.
type pacedStream struct {
	ctx   context.Context
	r     io.Reader
	pace  *pace
	count *atomic.Uint64
}

func (p *pacedStream) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.count.Add(uint64(n))
	if wait := p.pace.take(p.ctx, n); wait != nil {
		return n, wait
	}
	return n, err
}

// scrubIdentity writes node.json and seen.json again where they are not what
// this node wrote.
func (n *Node) scrubIdentity() {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	n.scrubSummed(identityFile, n.id)
	seen := slices.Clone(n.replica.seen())
	for i := range seen { // the state may be behind what was written
		seen[i] = n.knownOf(raft.ServerID(seen[i].ID)).Seen
	}
	if len(seen) > 0 && !n.seenRotten { // else it is counted, and written with the next change
		n.scrubSummed(seenFile, seen)
	}
}

// scrubSummed writes v in the place of a file that has rotted.
func (n *Node) scrubSummed(name string, v any) {
	b, err := disk.ReadFile(n.disk, name, maxIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		return // or it was not written yet
	}
	var mended bool
	if err == nil {
		var on any
		mended, err = summed.Decode(b, &on)
	}
	if err == nil && !mended {
		return
	}
	if err := saveSummed(n.disk, name, v); err != nil {
		n.log.Warn("a damaged file was not written again", "file", name, "err", err)
		return
	}
	n.mendedRot(rotIdentity, name)
}
