package transport

import (
	"errors"
	"sync"

	"github.com/hashicorp/raft"
)

// Stance is how far a server takes part in raft.
type Stance uint32

const (
	// Apart: requests of others wait, and it asks nobody for votes.
	Apart Stance = iota
	// Convalescent: it takes entries and snapshots; it neither gives votes nor
	// asks for any, but above a Floor that was set.
	Convalescent
	// Whole: it takes part in everything.
	Whole
)

// errNotWhole is the answer to what only a whole server does. (Its words must
// not be those by which raft knows a server without pre-votes.)
var errNotWhole = errors.New("this server does not vote until it holds again what it may have lost")

// Floor is what a candidate has to be above for a convalescent server to take
// part in its election, its own candidacy included.
type Floor struct {
	// Term is one in which the server may have voted without knowing it now: it
	// votes in later ones only.
	Term uint64
	// LogTerm and LogIndex are the end of a log that holds all that the server
	// may have acknowledged: a candidate's is to be at least as up to date
	// (Raft paper, section 5.4.1).
	LogTerm, LogIndex uint64
}

// holds reports whether a log with that end is at least as up to date.
func (f *Floor) holds(term, index uint64) bool {
	return f != nil && (term > f.LogTerm || term == f.LogTerm && index >= f.LogIndex)
}

// allows reports whether a convalescent server may take part in the election
// that the request is for. A pre-vote binds nobody, so its term is no matter.
func (f *Floor) allows(command any) bool {
	switch req := command.(type) {
	case *raft.RequestVoteRequest:
		return f.holds(req.LastLogTerm, req.LastLogIndex) && req.Term > f.Term
	case *raft.RequestPreVoteRequest:
		return f.holds(req.LastLogTerm, req.LastLogIndex)
	}
	return false
}

// Agreed is how far a server's log is known to be a leader's.
type Agreed struct {
	Term uint64 // the leader's
	Last uint64 // up to this index both logs are the same
}

// stance is the stance of a filter, and what a leader has brought meanwhile.
type stance struct {
	mu     sync.Mutex
	now    Stance
	met    chan struct{} // closed when the server is no longer Apart
	agreed Agreed
	floor  *Floor // nil: no votes
	ended  bool   // no goroutine starts any more
}

// Take sets the stance. A server never goes back to Apart.
func (f *Filter) Take(s Stance) {
	f.stance.mu.Lock()
	defer f.stance.mu.Unlock()
	switch {
	case s == Apart && f.stance.met == nil:
		f.stance.met = make(chan struct{})
	case s != Apart && f.stance.now == Apart && f.stance.met != nil:
		close(f.stance.met)
	}
	f.stance.now = s
}

// VoteAbove has a convalescent server take part in elections above a floor.
func (f *Filter) VoteAbove(floor Floor) {
	f.stance.mu.Lock()
	defer f.stance.mu.Unlock()
	f.stance.floor = &floor
}

// votes reports whether the server takes part in the election that the request
// is for.
func (f *Filter) votes(command any) bool {
	f.stance.mu.Lock()
	defer f.stance.mu.Unlock()
	return f.stance.now == Whole || f.stance.now == Convalescent && f.stance.floor.allows(command)
}

// Stance is how far the server takes part.
func (f *Filter) Stance() Stance {
	f.stance.mu.Lock()
	defer f.stance.mu.Unlock()
	return f.stance.now
}

// Agreed is how far the log agrees with that of the newest leader from whom
// entries came while the server was Convalescent.
func (f *Filter) Agreed() Agreed {
	f.stance.mu.Lock()
	defer f.stance.mu.Unlock()
	return f.stance.agreed
}

// meet waits while the server is Apart; false when the filter ends first.
func (f *Filter) meet() bool {
	f.stance.mu.Lock()
	met, apart := f.stance.met, f.stance.now == Apart
	f.stance.mu.Unlock()
	if !apart {
		return true
	}
	select {
	case <-met:
		return true
	case <-f.done:
		return false
	}
}

// spare answers, in the place of a convalescent server, what it must not do,
// and has the others watched. It reports whether the request is answered.
func (f *Filter) spare(rpc *raft.RPC) (answered bool) {
	if f.Stance() == Whole {
		return false
	}
	switch rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		if f.votes(rpc.Command) {
			return false
		}
		rpc.Respond(&raft.RequestVoteResponse{RPCHeader: f.header(""), Term: f.term()}, nil)
	case *raft.RequestPreVoteRequest:
		if f.votes(rpc.Command) {
			return false
		}
		rpc.Respond(&raft.RequestPreVoteResponse{RPCHeader: f.header(""), Term: f.term()}, nil)
	case *raft.TimeoutNowRequest:
		rpc.Respond(nil, errNotWhole)
	default:
		f.watchAnswer(rpc)
		return false
	}
	return true
}

// term is raft's current term.
func (f *Filter) term() uint64 {
	if w := f.watched.Load(); w != nil {
		return w.raft.CurrentTerm()
	}
	return 0
}

// watchAnswer notes what raft's answer to a leader says of the log.
func (f *Filter) watchAnswer(rpc *raft.RPC) {
	f.stance.mu.Lock()
	defer f.stance.mu.Unlock()
	if f.stance.ended {
		return
	}
	answer, to, command := make(chan raft.RPCResponse, 1), rpc.RespChan, rpc.Command
	rpc.RespChan = answer
	f.wg.Go(func() {
		select {
		case r := <-answer:
			if r.Error == nil {
				f.note(command, r.Response)
			}
			to <- r
		case <-f.done:
			to <- raft.RPCResponse{Error: raft.ErrTransportShutdown}
		}
	})
}

func (f *Filter) note(command, answer any) {
	var a Agreed
	switch req := command.(type) {
	case *raft.AppendEntriesRequest:
		if resp, ok := answer.(*raft.AppendEntriesResponse); !ok || !resp.Success {
			return
		}
		a = Agreed{Term: req.Term, Last: req.PrevLogEntry + uint64(len(req.Entries))}
	case *raft.InstallSnapshotRequest:
		if resp, ok := answer.(*raft.InstallSnapshotResponse); !ok || !resp.Success {
			return
		}
		a = Agreed{Term: req.Term, Last: req.LastLogIndex}
	}
	f.stance.mu.Lock()
	defer f.stance.mu.Unlock()
	if now := &f.stance.agreed; a.Term > now.Term {
		*now = a
	} else if a.Term == now.Term {
		now.Last = max(now.Last, a.Last)
	}
}
