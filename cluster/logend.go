package cluster

import (
	"github.com/hashicorp/raft"

	"skerry/fsm"
)

const (
	// stoppedTogether is how far apart, in log time, the logs of servers end that
	// stopped together: what a leader goes on to append until its lease is over,
	// and what a slow disk was late by.
	stoppedTogether = fsm.LogTime(10_000_000)
	// endEntries is how many entries are looked at for the time of the last
	// command: raft's own, two for each election, have none.
	endEntries = 256
)

// logEnd is where a log ends.
type logEnd struct {
	Last     uint64      `json:"last"`     // index of the last entry
	LastTerm uint64      `json:"lastTerm"` // its term
	At       fsm.LogTime `json:"at"`       // of the last command, or of the newest that was applied
}

// isBefore: the other log is more up to date (Raft paper, section 5.4.1).
func (e logEnd) isBefore(o logEnd) bool {
	return e.LastTerm < o.LastTerm || e.LastTerm == o.LastTerm && e.Last < o.Last
}

// isNear: both servers stopped taking commands at about the same time.
func (e logEnd) isNear(o logEnd) bool {
	return max(e.At, o.At)-min(e.At, o.At) <= stoppedTogether
}

// logEnd is where this node's log ends. It says nothing of what cannot be read.
func (n *Node) logEnd() logEnd {
	end := logEnd{At: n.replica.logTime()}
	last, err := n.logs.Log.LastIndex()
	if err != nil {
		return end
	}
	var e raft.Log
	for i := last; i > 0 && i+endEntries > last; i-- {
		if n.logs.Log.GetLog(i, &e) != nil {
			break
		}
		if i == last {
			end.Last, end.LastTerm = e.Index, e.Term
		}
		if e.Type != raft.LogCommand {
			continue
		}
		if h, _, err := fsm.DecodeHeader(e.Data); err == nil {
			end.At = max(end.At, h.LogTime)
		}
		break
	}
	if n.raft.LastIndex() <= end.Last {
		return end
	}
	if list, err := n.logs.Snapshots.List(); err == nil && len(list) > 0 {
		end.Last, end.LastTerm = list[0].Index, list[0].Term
	}
	return end
}
