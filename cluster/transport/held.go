package transport

import (
	"io"

	"github.com/hashicorp/raft"
)

// A leader that is wrong about where a follower's log ends may send what that has
// held for long: a snapshot, where the leader's log begins later, or entries whose
// predecessor the follower's log no longer has. hashicorp/raft v1.7.3 takes the
// snapshot: the state goes back to it and the whole log is removed, entries behind it
// that were acknowledged too, while raft still believes that the log has its old end;
// so the next entries leave a hole, over which it panics. The predecessor it
// refuses, and the leader goes back further, to its snapshot. What is committed is
// the same in all logs (Raft paper, section 5.4.3), so here both are taken as held.

// held answers in raft's place a request of the leader of raft's term for what this
// follower holds, or takes out of it what it holds. It reports whether the request is
// answered.
func (f *Filter) held(rpc *raft.RPC) (answered bool) {
	w := f.watched.Load()
	if w == nil || w.raft.State() != raft.Follower {
		return false
	}
	switch req := rpc.Command.(type) {
	case *raft.InstallSnapshotRequest:
		if req.Term != w.raft.CurrentTerm() || !w.holds(req.LastLogIndex, req.LastLogTerm) {
			return false
		}
		_, err := io.Copy(io.Discard, rpc.Reader) // or the rest would be the next request
		rpc.Respond(&raft.InstallSnapshotResponse{RPCHeader: f.header(""), Term: req.Term, Success: err == nil}, nil)
		return true
	case *raft.AppendEntriesRequest:
		committed := w.raft.AppliedIndex()
		switch prev := req.PrevLogEntry; {
		case req.Term != w.raft.CurrentTerm(), prev == 0, prev > committed, prev == w.raft.LastIndex(), w.has(prev):
			return false // raft can tell
		}
		n := 0
		for n < len(req.Entries) && req.Entries[n].Index <= committed {
			n++
		}
		if n == len(req.Entries) {
			rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: f.header(""), Term: req.Term, LastLog: w.raft.LastIndex(), Success: true}, nil)
			return true
		}
		rest := *req // the others follow what is committed, which needs no look at the log
		rest.PrevLogEntry, rest.PrevLogTerm, rest.Entries = 0, 0, req.Entries[n:]
		rpc.Command = &rest
	}
	return false
}

// watched is the raft that a filter serves, and its log.
type watched struct {
	raft *raft.Raft
	log  raft.LogStore
}

func (w *watched) has(index uint64) bool {
	var e raft.Log
	return w.log.GetLog(index, &e) == nil
}

// holds reports that raft holds all up to an entry of the leader's.
func (w *watched) holds(index, term uint64) bool {
	if index <= w.raft.AppliedIndex() {
		return true
	}
	var e raft.Log
	return w.log.GetLog(index, &e) == nil && e.Term == term
}
