package wire

import (
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// requests is the raft.Transport of an end.
type requests struct{ e *End }

func (r requests) Consumer() <-chan raft.RPC     { return r.e.consumer }
func (r requests) LocalAddr() raft.ServerAddress { return r.e.address }
func (r requests) EncodePeer(_ raft.ServerID, a raft.ServerAddress) []byte {
	return []byte(a)
}
func (r requests) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

func (r requests) SetHeartbeatHandler(f func(raft.RPC)) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.e.heartbeat = f
}

func (r requests) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

func (r requests) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	sent := *args
	return r.e.exchange(id, target, &sent, nil, resp)
}

func (r requests) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return r.e.exchange(id, target, args, nil, resp)
}

func (r requests) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return r.e.exchange(id, target, args, nil, resp)
}

func (r requests) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return r.e.exchange(id, target, args, nil, resp)
}

func (r requests) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	content, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	return r.e.exchange(id, target, args, content, resp)
}

// isHeartbeat is hashicorp/raft's own test.
func isHeartbeat(command any) bool {
	req, ok := command.(*raft.AppendEntriesRequest)
	return ok && req.Term != 0 && req.PrevLogEntry == 0 && req.PrevLogTerm == 0 && len(req.Entries) == 0 && req.LeaderCommitIndex == 0
}

// exchange sends a request and takes its answer.
func (e *End) exchange(id raft.ServerID, target raft.ServerAddress, command any, content []byte, resp any) error {
	f := e.net.draw(route{e.address, target})
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	switch {
	case f.to == nil:
		return fmt.Errorf("dial %s: %w", target, errRefused)
	case f.lost:
		return e.silence(timeout)
	case f.to.id != id:
		return fmt.Errorf("%w: wanted %s at %s", transport.ErrWrongServer, id, target)
	}
	answer := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: command, RespChan: answer}
	if content != nil {
		rpc.Reader = &part{b: content, broken: f.broken}
		timeout.Reset(10 * patience)
	}
	if f.twice && content == nil {
		go e.again(f.to, command, f.lateBy)
	}
	delay := f.delay
	if f.late {
		delay += f.lateBy
	}
	if delay > 0 || len(f.gates) > 0 || isHeartbeat(command) {
		go func() { // ends with the message, which the ends' lives bound
			if e.pass(delay, f.gates, f.to) {
				f.to.take(rpc)
			}
		}()
	} else if err := e.push(f.to, rpc, timeout); err != nil {
		return err
	}
	if f.late {
		return e.silence(timeout)
	}
	return e.await(f.to, answer, timeout, resp)
}

// await takes the answer to a request.
func (e *End) await(from *End, answer <-chan raft.RPCResponse, timeout *time.Timer, resp any) error {
	select {
	case a := <-answer:
		if f := e.net.draw(route{from.address, e.address}); f.lost {
			return e.silence(timeout)
		} else if !e.pass(f.delay, f.gates, from) {
			return errClosed
		}
		if a.Error != nil {
			return a.Error
		}
		return fill(resp, a.Response)
	case <-timeout.C:
		return errTimeout
	case <-from.closed:
		return fmt.Errorf("read from %s: %w", from.address, io.EOF)
	case <-e.closed:
		return errClosed
	}
}

// fill copies an answer to where its asker wants it.
func fill(resp, answer any) error {
	switch r := resp.(type) {
	case *raft.AppendEntriesResponse:
		*r = *answer.(*raft.AppendEntriesResponse)
	case *raft.RequestVoteResponse:
		*r = *answer.(*raft.RequestVoteResponse)
	case *raft.RequestPreVoteResponse:
		*r = *answer.(*raft.RequestPreVoteResponse)
	case *raft.InstallSnapshotResponse:
		*r = *answer.(*raft.InstallSnapshotResponse)
	case *raft.TimeoutNowResponse:
		*r = *answer.(*raft.TimeoutNowResponse)
	default:
		return fmt.Errorf("an answer of type %T is not known", resp)
	}
	return nil
}

// push gives a request to the peer's main loop.
func (e *End) push(to *End, rpc raft.RPC, timeout *time.Timer) error {
	select {
	case to.consumer <- rpc:
		return nil
	case <-timeout.C:
		return errTimeout
	case <-to.closed:
		return fmt.Errorf("write to %s: %w", to.address, errRefused)
	case <-e.closed:
		return errClosed
	}
}

// take gives a request that arrived to raft.
func (e *End) take(rpc raft.RPC) {
	e.mu.Lock()
	heartbeat := e.heartbeat
	e.mu.Unlock()
	if heartbeat != nil && isHeartbeat(rpc.Command) {
		heartbeat(rpc)
		return
	}
	select {
	case e.consumer <- rpc:
	case <-e.closed:
	}
}

// again delivers a request a second time; nobody waits for the answer.
func (e *End) again(to *End, command any, after time.Duration) {
	if e.pass(after, nil, to) {
		to.take(raft.RPC{Command: command, RespChan: make(chan raft.RPCResponse, 1)})
	}
}

// silence is what a sender hears whose message is lost.
func (e *End) silence(timeout *time.Timer) error {
	select {
	case <-timeout.C:
		return errTimeout
	case <-e.closed:
		return errClosed
	}
}

// part is a snapshot on its way; a broken one ends in the middle.
type part struct {
	b      []byte
	off    int
	broken bool
}

func (p *part) Read(b []byte) (int, error) {
	end := len(p.b)
	if p.broken {
		end /= 2
	}
	if p.off >= end {
		if p.broken {
			return 0, io.ErrUnexpectedEOF
		}
		return 0, io.EOF
	}
	n := copy(b, p.b[p.off:end])
	p.off += n
	return n, nil
}
