package transport_test

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// talker is a transport whose requests all succeed.
type talker struct{ *inner }

func (talker) RequestVote(raft.ServerID, raft.ServerAddress, *raft.RequestVoteRequest, *raft.RequestVoteResponse) error {
	return nil
}

func (talker) RequestPreVote(raft.ServerID, raft.ServerAddress, *raft.RequestPreVoteRequest, *raft.RequestPreVoteResponse) error {
	return nil
}

func (talker) InstallSnapshot(raft.ServerID, raft.ServerAddress, *raft.InstallSnapshotRequest, *raft.InstallSnapshotResponse, io.Reader) error {
	return nil
}

// A server whose vote could not be written must not be heard to give it.
func TestNothingThatAMutedServersRaftSaysGetsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := talker{newInner()}
		f := transport.NewFilter(in, nil)
		defer func() { _ = f.Close() }()
		f.SetHeartbeatHandler(func(rpc raft.RPC) { rpc.Respond(nil, nil) })
		answers := make(chan raft.RPCResponse, 1)
		go in.heartbeat(raft.RPC{Command: &raft.RequestVoteRequest{Term: 2}, RespChan: answers})
		rpc := <-f.Consumer()
		f.Mute() // while the request is in hand
		rpc.Respond(&raft.RequestVoteResponse{Term: 2, Granted: true}, nil)
		if a := <-answers; a.Error == nil {
			t.Errorf("the answer %+v got out", a.Response)
		}
		go in.heartbeat(raft.RPC{Command: &raft.RequestVoteRequest{Term: 3}, RespChan: answers})
		if a := <-answers; a.Error == nil {
			t.Errorf("the answer %+v got out", a.Response)
		}
		for what, err := range map[string]error{
			"entries":  f.AppendEntries("b", "b:1", &raft.AppendEntriesRequest{}, &raft.AppendEntriesResponse{}),
			"a vote":   f.RequestVote("b", "b:1", &raft.RequestVoteRequest{}, &raft.RequestVoteResponse{}),
			"pre-vote": f.RequestPreVote("b", "b:1", &raft.RequestPreVoteRequest{}, &raft.RequestPreVoteResponse{}),
			"snapshot": f.InstallSnapshot("b", "b:1", &raft.InstallSnapshotRequest{}, &raft.InstallSnapshotResponse{}, nil),
		} {
			if err == nil {
				t.Errorf("a request for %s got out", what)
			}
		}
	})
}
