package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"skerry/cluster/logstore"
)

// A snapshot or an entry of the log that has rotted is of no harm while the node
// runs: its state is in memory. So a new snapshot is taken first, and what has
// rotted goes when that is durable. At no moment does the directory hold less to
// start from than when the rot was found.

const (
	// maxRottenEntries bounds the entries that are noted as damaged; more of them
	// are found when these are gone.
	maxRottenEntries = 256
	// coverTries is how often a snapshot may end before a damaged entry.
	coverTries = 3
)

var (
	// errFromLog: the snapshots are rotten, and the log has everything.
	errFromLog = errors.New("no snapshot is whole, and the log goes back to the beginning: they are removed, and the node starts from the log")

	// errUncovered ends a node that starts again without a damaged entry.
	errUncovered = errors.New("an entry of the log is damaged that no snapshot covers: when the node starts again, the others bring it back")
)

// raftRot is what was found damaged of the log and the snapshots and is still
// there.
type raftRot struct {
	wake  chan struct{} // capacity 1: there is something to look at
	began uint64        // the last entry applied when the node started

	mu        sync.Mutex
	look      bool            // there may be something to mend
	snapshots map[string]bool // by name
	entries   map[uint64]bool // by index
	uncovered int             // snapshots that ended before the last of entries
}

func newRaftRot() *raftRot {
	return &raftRot{wake: make(chan struct{}, 1), look: true, snapshots: map[string]bool{}, entries: map[uint64]bool{}}
}

// rouse has takeSnapshots look at what there is.
func (r *raftRot) rouse() {
	r.mu.Lock()
	r.look = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// foundEntry notes a damaged entry; known is true where it was noted before.
func (r *raftRot) foundEntry(index uint64) (known, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known = r.entries[index]
	r.entries[index] = true
	return known, len(r.entries) >= maxRottenEntries
}

// last is the last damaged entry, 0 for none.
func (r *raftRot) last() (index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.entries {
		index = max(index, i)
	}
	return index
}

// installed is called when a leader's snapshot is to take the place of the
// state: the older ones do not go before it. It is kept twice soon.
func (n *Node) installed() error {
	defer n.raftRot.rouse()
	if err := n.logEnds(); err != nil {
		return err
	}
	return errors.Join(n.noteSnapshot(), n.logs.Snapshots.DropOlder())
}

// errLogGoesOn: raft would put the snapshot in place and still go by the log's old
// end: it would ask for the snapshot for ever (its issue 697), or go on behind a hole,
// see transport's held.go. It does not when it starts anew.
var errLogGoesOn = errors.New("a leader's snapshot ends before the log, which goes on as another leader's: the node must be started again")

// logEnds returns errLogGoesOn where the log goes on behind the newest snapshot, which
// was just received, and has nobody hear this node any more.
func (n *Node) logEnds() error {
	list, err := n.logs.Snapshots.List()
	if err != nil || len(list) == 0 || n.raft.LastIndex() <= list[0].Index {
		return err
	}
	n.filter.Mute()
	return fmt.Errorf("%w (entries %d and %d)", errLogGoesOn, list[0].Index, n.raft.LastIndex())
}

// noteRecovery counts what the opening of raft's stores found.
func (n *Node) noteRecovery() {
	r, rot := n.logs.Recovery(), &n.replica.scrubbed.rot
	for _, name := range r.Mended {
		n.mendedRot(rotVotes, raftDir+"/"+name)
	}
	if r.Skipped != "" {
		rot.found[rotLog].Add(1)
		rot.repaired[rotLog].Add(1)
		n.log.Warn("the log is damaged where a snapshot has what it held: it begins behind that", "reason", r.Skipped)
	}
	if r.Damaged {
		rot.found[rotLog].Add(1)
	}
}

// withoutSnapshots is what to do where no snapshot can be read, for why: start from the log if it
// goes back to the beginning.
func (n *Node) withoutSnapshots(why error) error {
	first, err := n.logs.FirstIndex()
	if err != nil || first != 1 || n.logs.Recovery().Damaged {
		return n.quarantine(fmt.Errorf("%w: %w", errLost, why))
	}
	names, err := n.logs.Snapshots.Rotten()
	if len(names) == 0 {
		return n.quarantine(errors.Join(errLost, why, err))
	}
	for _, name := range names {
		err = errors.Join(err, n.logs.Snapshots.Drop(name))
	}
	return cmp.Or(err, errFromLog)
}

// mendRaft takes the snapshots that are needed in the place of what has rotted,
// and removes that.
func (n *Node) mendRaft() error {
	r := n.raftRot
	for {
		r.mu.Lock()
		look := r.look
		r.look = false
		r.mu.Unlock()
		if !look {
			return nil
		}
		again, err := n.mendOnce()
		if again || err != nil {
			r.mu.Lock()
			r.look = true
			r.mu.Unlock()
		}
		if err != nil {
			return err
		}
	}
}

// mendOnce takes one step; again says that there may be another one.
func (n *Node) mendOnce() (again bool, err error) {
	rotten, err := n.noteSnapshots()
	if err != nil {
		return false, err
	}
	list, err := n.logs.Snapshots.List()
	if err != nil {
		return false, err
	}
	first, err := n.logs.FirstIndex()
	if err != nil {
		return false, err
	}
	entry := n.raftRot.last()
	newest := uint64(0)
	if len(list) > 0 {
		newest = list[0].Index
	}
	switch {
	case rotten:
		return true, n.takeSnapshot()
	case entry > 0 && newest >= entry:
		if n.logs.Snapshots.Verify(list[0].ID) != nil {
			return true, nil // it is listed as rotten now
		}
		return true, n.dropEntries(entry)
	case entry > 0:
		return true, n.cover(entry)
	case len(list) > 0 && first != 1 && !keptTwice(list, first):
		return true, n.takeSnapshot()
	}
	return false, nil
}

// keptTwice tells that a node can start from the older snapshot too.
func keptTwice(list []*raft.SnapshotMeta, first uint64) bool {
	whole := 0
	for _, s := range list {
		if s.Index == list[0].Index || (first > 0 && s.Index+1 >= first) {
			whole++
		}
	}
	return whole >= logstore.SnapshotsKept
}

// takeSnapshot is Snapshot where one must be taken. raft takes none before
// something was applied since the start.
func (n *Node) takeSnapshot() error {
	if n.raft.AppliedIndex() == n.raftRot.began {
		return raft.ErrNothingNewToSnapshot
	}
	return n.raft.Snapshot().Error()
}

// noteSnapshots counts the snapshots that are known to be damaged, and those
// that are gone; rotten says that there are some.
func (n *Node) noteSnapshots() (rotten bool, err error) {
	names, err := n.logs.Snapshots.Rotten()
	if err != nil {
		return false, err
	}
	r, rot := n.raftRot, &n.replica.scrubbed.rot
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		if !r.snapshots[name] {
			r.snapshots[name] = true
			rot.found[rotSnapshots].Add(1)
			n.log.Error("a snapshot is damaged: a new one takes its place", "snapshot", name)
		}
	}
	for name := range r.snapshots {
		if !slices.Contains(names, name) {
			delete(r.snapshots, name)
			rot.repaired[rotSnapshots].Add(1)
		}
	}
	return len(names) > 0, nil
}

// cover takes a snapshot that holds what a damaged entry did. An entry that the
// state does not have can only come from the others, as at a start.
func (n *Node) cover(entry uint64) error {
	if n.raft.State() == raft.Leader {
		// A snapshot ends with what the state was given, which raft's own entries
		// are not.
		if err := n.raft.Barrier(barrierTimeout).Error(); err != nil {
			return err
		}
	}
	if err := n.takeSnapshot(); err != nil {
		return err
	}
	list, err := n.logs.Snapshots.List()
	if err != nil || (len(list) > 0 && list[0].Index >= entry) {
		return err
	}
	r := n.raftRot
	r.mu.Lock()
	r.uncovered++
	tries := r.uncovered
	r.mu.Unlock()
	err = fmt.Errorf("%w (entry %d)", errUncovered, entry)
	if tries >= coverTries {
		n.fail(err)
	}
	return err
}

// dropEntries drops the log up to a damaged entry that a snapshot covers.
func (n *Node) dropEntries(entry uint64) error {
	if err := n.logs.Drop(entry); err != nil {
		return err
	}
	r := n.raftRot
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.entries {
		if i <= entry {
			delete(r.entries, i)
			n.replica.scrubbed.rot.repaired[rotLog].Add(1)
		}
	}
	r.uncovered = 0
	return nil
}
