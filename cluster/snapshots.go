package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/logstore"
)

// keptBeside is how many entries may come in between the end of a snapshot and
// raft's look at the length of its log, a few microseconds later.
const keptBeside = 256

// takeSnapshots has raft take a snapshot when enough log has come since the
// last, and when one is to take the place of what has rotted. The log is kept
// back to the snapshot before.
func (n *Node) takeSnapshots(ctx context.Context) {
	for {
		changed := n.replica.applied.wait()
		err := n.mendRaft()
		if err == nil && n.replica.sinceSnapshot() >= n.profile.snapshotBytes {
			err = n.Snapshot()
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
			n.log.Warn("no snapshot was taken", "err", err)
			if pause(ctx, snapshotPause) != nil {
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-n.raftRot.wake:
		case <-ctx.Done():
			return
		}
	}
}

// keepLog has raft, which drops log after each snapshot, keep it from an index
// on. raft is told a number of entries, counted from the newest.
func (n *Node) keepLog(from uint64) error {
	c, last := n.raft.ReloadableConfig(), n.raft.LastIndex()
	c.TrailingLogs = last - min(from, last) + keptBeside
	return n.raft.ReloadConfig(c)
}

// snapshotPause is between two tries to take a snapshot.
const snapshotPause = 10 * time.Second

// anew is what to do with a directory that lost a part.
const anew = "move the data directory away and start with an empty one; the site will bring the data back"

// errLost: this server forgot what it voted or acknowledged.
var errLost = errors.New("a part of what raft needs is lost")

// noSnapshot is in hashicorp/raft's error of a start in which no snapshot could
// be read.
const noSnapshot = "failed to load any existing snapshots"

// checkLogs makes sure that nothing is missing of what raft left. A server that
// forgot its votes or entries it acknowledged must not go on as if it had not.
// An older snapshot that the log does not reach is dropped: a leader's snapshot
// was installed after it, and raft would fall back to the older one without a
// word, across the hole between them.
func checkLogs(l *logstore.Store, inSite bool) error {
	first, err := l.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.LastIndex()
	if err != nil {
		return err
	}
	list, err := l.Snapshots.List() // newest first
	if err != nil {
		return err
	}
	term, _ := l.Stable.GetUint64([]byte("CurrentTerm")) // an error is raft's word for none
	reaches := func(s *raft.SnapshotMeta) bool { return s.Index == list[0].Index || follows(s, first, last) }
	switch {
	case inSite && last == 0 && len(list) == 0:
		return fmt.Errorf("%w: the raft log is gone", errLost)
	case last > 0 && term == 0:
		return fmt.Errorf("%w: the votes are gone", errLost)
	case first > 1 && (len(list) == 0 || !follows(list[0], first, last)):
		return fmt.Errorf("%w: the raft log begins at entry %d and no snapshot reaches it", errLost, first)
	case len(list) > 1 && !reaches(list[len(list)-1]):
		return l.Snapshots.DropOlder()
	}
	return nil
}

// follows tells that a log goes on where a snapshot ends, or before it.
func follows(s *raft.SnapshotMeta, first, last uint64) bool { return last > 0 && s.Index+1 >= first }
