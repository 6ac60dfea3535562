package transport_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

func TestThereAreNoPipelines(t *testing.T) {
	f := transport.NewFilter(newInner(), nil)
	defer func() { _ = f.Close() }()
	// With more than one request in flight a follower that stalled is never
	// replicated to again (hashicorp/raft issue 612).
	if _, err := f.AppendEntriesPipeline("b.1", "b:1"); !errors.Is(err, raft.ErrPipelineReplicationNotSupported) {
		t.Errorf("err = %v, want that pipelines are not supported", err)
	}
}

// answered gives a request to the filter and lets raft answer, if it is asked.
func answered(f *transport.Filter, command any, answer any) (resp any, err error, asked bool) {
	reply := make(chan raft.RPCResponse, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Pass(raft.RPC{Command: command, RespChan: reply})
	}()
	select {
	case rpc := <-f.Consumer():
		asked = true
		rpc.Respond(answer, nil)
	case <-done:
	}
	<-done
	r := <-reply
	return r.Response, r.Error, asked
}

func TestAConvalescentServerTakesEntriesAndHasNoVote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := transport.NewFilter(newInner(), nil)
		defer func() { _ = f.Close() }()
		f.Take(transport.Apart)
		f.Take(transport.Convalescent)
		if resp, err, asked := answered(f, &raft.RequestVoteRequest{Term: 9}, nil); asked || err != nil || resp.(*raft.RequestVoteResponse).Granted {
			t.Errorf("a vote: %+v (%v), raft was asked: %t", resp, err, asked)
		}
		if resp, err, asked := answered(f, &raft.RequestPreVoteRequest{Term: 9}, nil); asked || err != nil || resp.(*raft.RequestPreVoteResponse).Granted {
			t.Errorf("a pre-vote: %+v (%v), raft was asked: %t", resp, err, asked)
		}
		if _, err, asked := answered(f, &raft.TimeoutNowRequest{}, nil); asked || err == nil {
			t.Errorf("it is to stand for election: err %v, raft was asked: %t", err, asked)
		}
		if err := f.RequestVote("b.1", "b:1", &raft.RequestVoteRequest{}, &raft.RequestVoteResponse{}); err == nil {
			t.Error("it asks for votes")
		}
		if err := f.RequestPreVote("b.1", "b:1", &raft.RequestPreVoteRequest{}, &raft.RequestPreVoteResponse{}); err == nil {
			t.Error("it asks for pre-votes")
		}

		for _, c := range []struct {
			name           string
			command, reply any
			want           transport.Agreed
		}{
			{"entries that raft took", &raft.AppendEntriesRequest{Term: 7, PrevLogEntry: 10, Entries: make([]*raft.Log, 3)}, &raft.AppendEntriesResponse{Success: true}, transport.Agreed{Term: 7, Last: 13}},
			{"entries that it refused", &raft.AppendEntriesRequest{Term: 7, PrevLogEntry: 90}, &raft.AppendEntriesResponse{}, transport.Agreed{Term: 7, Last: 13}},
			{"a heartbeat", &raft.AppendEntriesRequest{Term: 7}, &raft.AppendEntriesResponse{Success: true}, transport.Agreed{Term: 7, Last: 13}},
			{"a snapshot", &raft.InstallSnapshotRequest{Term: 7, LastLogIndex: 40}, &raft.InstallSnapshotResponse{Success: true}, transport.Agreed{Term: 7, Last: 40}},
			{"an older leader", &raft.AppendEntriesRequest{Term: 6, PrevLogEntry: 99}, &raft.AppendEntriesResponse{Success: true}, transport.Agreed{Term: 7, Last: 40}},
			{"a newer leader, whose log is another", &raft.AppendEntriesRequest{Term: 8, PrevLogEntry: 20}, &raft.AppendEntriesResponse{Success: true}, transport.Agreed{Term: 8, Last: 20}},
		} {
			if _, err, asked := answered(f, c.command, c.reply); err != nil || !asked {
				t.Errorf("%s: err %v, raft was asked: %t", c.name, err, asked)
			}
			if got := f.Agreed(); got != c.want {
				t.Errorf("after %s the logs agree %+v, want %+v", c.name, got, c.want)
			}
		}
	})
}

func TestAConvalescentServerVotesAboveItsFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := transport.NewFilter(newInner(), nil)
		defer func() { _ = f.Close() }()
		f.Take(transport.Apart)
		f.Take(transport.Convalescent)
		f.VoteAbove(transport.Floor{Term: 8, LogTerm: 5, LogIndex: 70})
		for _, c := range []struct {
			name                 string
			term, logTerm, index uint64
			vote, preVote        bool
		}{
			{"all that is known", 9, 5, 70, true, true},
			{"a later log", 9, 6, 10, true, true},
			{"an entry less", 9, 5, 69, false, false},
			{"an older log", 9, 4, 99, false, false},
			{"a term in which it may have voted", 8, 5, 70, false, true},
		} {
			vote := &raft.RequestVoteRequest{Term: c.term, LastLogTerm: c.logTerm, LastLogIndex: c.index}
			pre := &raft.RequestPreVoteRequest{Term: c.term, LastLogTerm: c.logTerm, LastLogIndex: c.index}
			if _, err, asked := answered(f, vote, &raft.RequestVoteResponse{}); err != nil || asked != c.vote {
				t.Errorf("%s: asked for a vote, raft is asked: %t (%v), want %t", c.name, asked, err, c.vote)
			}
			if _, err, asked := answered(f, pre, &raft.RequestPreVoteResponse{}); err != nil || asked != c.preVote {
				t.Errorf("%s: asked for a pre-vote, raft is asked: %t (%v), want %t", c.name, asked, err, c.preVote)
			}
			if err := f.RequestVote("b.1", "b:1", vote, &raft.RequestVoteResponse{}); errors.Is(err, transport.ErrNotWhole) == c.vote {
				t.Errorf("%s: it asks for votes: %v, want %t", c.name, err, c.vote)
			}
			if err := f.RequestPreVote("b.1", "b:1", pre, &raft.RequestPreVoteResponse{}); errors.Is(err, transport.ErrNotWhole) == c.preVote {
				t.Errorf("%s: it asks for pre-votes: %v, want %t", c.name, err, c.preVote)
			}
		}
	})
}

func TestRequestsWaitWhileAServerIsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := transport.NewFilter(newInner(), nil)
		defer func() { _ = f.Close() }()
		f.Take(transport.Apart)
		time.AfterFunc(time.Second, func() { f.Take(transport.Whole) })
		start := time.Now()
		if _, err, asked := answered(f, &raft.AppendEntriesRequest{}, &raft.AppendEntriesResponse{}); err != nil || !asked {
			t.Errorf("err %v, raft was asked: %t", err, asked)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("raft was asked after %s, want when the server takes part", waited)
		}
	})
}
