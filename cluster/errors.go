package cluster

import "errors"

var (
	// ErrNoLeader: nothing was sent, so nothing was stored.
	ErrNoLeader = errors.New("the site has no leader: a majority of its nodes must be up and see each other")
	// ErrUnknown: the command was sent and its fate is not known. The same
	// command, with the same keys, may be proposed again.
	ErrUnknown = errors.New("the outcome is not known yet: send the same message again")
	// ErrOverloaded: a queue is at its bound; nothing was stored.
	ErrOverloaded = errors.New("too much is waiting to be stored: send again later")
	// ErrDiskFull: nothing was stored; the site takes readings again by itself
	// when there is room.
	ErrDiskFull = errors.New("the disks of the site are full and nothing was stored: send again later; skerry retention set, or larger disks, make room")
	// ErrNotLeader: a duty's proposal on a node that does not lead in its term.
	ErrNotLeader = errors.New("this node does not lead in that term")
	// ErrNoMajority: a change of the members that would end the site.
	ErrNoMajority = errors.New("the site would be left without a majority")
	// ErrCursor: a cursor that no page gave.
	ErrCursor = errors.New("the cursor is not one that was given: leave it out to begin again")
	// ErrClosed: the node is stopping.
	ErrClosed = errors.New("the node is stopping")
	// ErrLevel: a command that came with a later level than the site's. The
	// wrapping error names the servers to upgrade.
	ErrLevel = errors.New("not all nodes of the site know this yet")
	// ErrBusy: too many read the history from files at once.
	ErrBusy = errors.New("too many read the whole history of this node at once: ask again later, or another node")
	// ErrOldCopy: the data directory is one of before, restored from an image or
	// copied: the server of this name did more since than it remembers.
	ErrOldCopy = errors.New("the data directory is an older copy of this node's: what was acknowledged since is not in it, so it must not take part: start with an empty --data, and the site brings the data back to a new server")
	// ErrMissing: this node does not hold the rows and no peer gave them.
	ErrMissing = errors.New("this node does not hold these readings, or not yet: ask another node")

	// errNodeFull is why a follower takes no entries.
	errNodeFull = errors.New("the disk of this node is full")
)
