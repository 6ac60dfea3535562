package transport

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// MaxAppendBytes bounds the entries of one AppendEntries request.
	MaxAppendBytes = 1 << 20
	// TimeoutNowTimeout bounds the request that has a server call an election.
	// While it is under way raft takes no entries: see issue 696.
	TimeoutNowTimeout = 2 * time.Second
)

var errTimeoutNow = errors.New("the server that is to lead does not answer")

// Filter is the raft transport that skerry gives to hashicorp/raft.
//
// A heartbeat takes the fast path past raft's main loop only when it cannot
// change the term: with a newer term, handled beside the main loop while it
// writes entries, a deposed leader would stamp its entries with the new term
// (hashicorp/raft issue 695). All others queue with the other requests. A
// request's entries are cut to MaxAppendBytes, at least one, so that a slow
// link sees progress; raft reads the cut request to learn what was sent.
type Filter struct {
	raft.Transport
	consumer chan raft.RPC
	admit    func(command any) error
	done     chan struct{}
	once     sync.Once
	wg       sync.WaitGroup
	watched  atomic.Pointer[watched]
	stance   stance
	muted    atomic.Bool
}

// NewFilter wraps inner for a server that is Whole; see Take. admit is asked before raft is given a request, and says
// why not; nil admits all. Close ends what the filter started, and not inner.
func NewFilter(inner raft.Transport, admit func(command any) error) *Filter {
	f := &Filter{Transport: inner, admit: admit, consumer: make(chan raft.RPC), done: make(chan struct{})}
	f.Take(Whole)
	f.wg.Go(func() {
		for {
			select {
			case rpc := <-inner.Consumer():
				if err := f.refused(rpc.Command); err != nil {
					rpc.Respond(nil, err)
					continue
				}
				f.pass(rpc)
			case <-f.done:
				return
			}
		}
	})
	return f
}

// Watch tells the filter which raft it serves, and its log. Until then no heartbeat
// takes the fast path, and raft is given all that comes.
func (f *Filter) Watch(r *raft.Raft, log raft.LogStore) { f.watched.Store(&watched{r, log}) }

// Consumer is raft.Transport's.
func (f *Filter) Consumer() <-chan raft.RPC { return f.consumer }

func (f *Filter) refused(command any) error {
	if f.admit == nil {
		return nil
	}
	return f.admit(command)
}

func (f *Filter) pass(rpc raft.RPC) {
	if f.muted.Load() || !f.meet() {
		rpc.Respond(nil, raft.ErrTransportShutdown)
		return
	}
	if f.spare(&rpc) || f.held(&rpc) {
		return
	}
	f.ask(rpc)
}

// SetHeartbeatHandler is raft.Transport's.
func (f *Filter) SetHeartbeatHandler(fast func(raft.RPC)) {
	f.Transport.SetHeartbeatHandler(func(rpc raft.RPC) {
		w := f.watched.Load()
		req, ok := rpc.Command.(*raft.AppendEntriesRequest)
		if ok && w != nil && !f.muted.Load() && f.Stance() != Apart && req.Term == w.raft.CurrentTerm() && w.raft.State() == raft.Follower {
			fast(rpc)
			return
		}
		f.pass(rpc)
	})
}

// AppendEntriesPipeline is refused: with more than one request in flight a
// stalled follower can block its replication for good (issue 612).
func (f *Filter) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries is raft.Transport's.
func (f *Filter) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if err := f.speaks(); err != nil {
		return err
	}
	size := 0
	for i, e := range args.Entries {
		if size += len(e.Data); size > MaxAppendBytes && i > 0 {
			args.Entries = args.Entries[:i]
			break
		}
	}
	return f.Transport.AppendEntries(id, target, args, resp)
}

// RequestVote is raft.Transport's.
func (f *Filter) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if f.muted.Load() || !f.votes(args) {
		return errNotWhole
	}
	return f.Transport.RequestVote(id, target, args, resp)
}

// RequestPreVote is raft.WithPreVote's.
func (f *Filter) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if f.muted.Load() || !f.votes(args) {
		return errNotWhole
	}
	return f.Transport.(raft.WithPreVote).RequestPreVote(id, target, args, resp)
}

// TimeoutNow is raft.Transport's. The answer may come after its bound; nobody
// looks at it then.
func (f *Filter) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	type reply struct {
		resp raft.TimeoutNowResponse
		err  error
	}
	done := make(chan reply, 1)
	go func() { // ends within the transport's own bound
		var r reply
		r.err = f.Transport.TimeoutNow(id, target, args, &r.resp)
		done <- r
	}()
	t := time.NewTimer(TimeoutNowTimeout)
	defer t.Stop()
	select {
	case r := <-done:
		*resp = r.resp
		return r.err
	case <-t.C:
		return errTimeoutNow
	}
}

// CallElection has a voter stand for election at once, in the name of the
// leader id: what raft's transfer of the lead does, past raft.
func (f *Filter) CallElection(id raft.ServerID, to raft.Server) error {
	return f.TimeoutNow(to.ID, to.Address, &raft.TimeoutNowRequest{RPCHeader: f.header(id)}, &raft.TimeoutNowResponse{})
}

func (f *Filter) header(id raft.ServerID) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: f.EncodePeer(id, f.LocalAddr())}
}

// Close ends the filter's own goroutine. raft calls it too, when it shuts down.
func (f *Filter) Close() error {
	f.once.Do(func() {
		close(f.done)
		f.stance.mu.Lock()
		f.stance.ended = true
		f.stance.mu.Unlock()
	})
	f.wg.Wait()
	return nil
}
