package cluster

import "github.com/hashicorp/raft"

// replayLook bounds how many of raft's own entries at the end of a log are
// looked past: each leader adds one.
const replayLook = 1024

// lastCommand is the index of the last command in a log, 0 for none.
func lastCommand(l raft.LogStore) (uint64, error) {
	first, err := l.FirstIndex()
	if err != nil {
		return 0, err
	}
	last, err := l.LastIndex()
	if err != nil {
		return 0, err
	}
	for i := last; i > 0 && i >= first && last-i < replayLook; i-- {
		var e raft.Log
		if err := l.GetLog(i, &e); err != nil {
			return 0, err
		}
		if e.Type == raft.LogCommand {
			return i, nil
		}
	}
	return 0, nil
}

// replayed reports that the commands which the log held when the node started
// are applied, or will never be.
func (n *Node) replayed(applied uint64) bool {
	if applied >= n.replayTo {
		return true
	}
	if n.raft.AppliedIndex() < n.replayTo {
		return false
	}
	// It is applied in a moment, unless it was never committed and a leader put
	// another entry in its place.
	var e raft.Log
	return n.logs.Log.GetLog(n.replayTo, &e) != nil || e.Type != raft.LogCommand
}
