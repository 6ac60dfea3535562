package transport_test

import (
	"errors"
	"testing"

	"github.com/hashicorp/raft"

	"skerry/cluster/transport"
)

// answerRaft answers raft's requests with term until the test ends.
func answerRaft(tb testing.TB, n *transport.TCP, term uint64) {
	tb.Helper()
	done := make(chan struct{})
	tb.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case rpc := <-n.Raft().Consumer():
				rpc.Respond(&raft.AppendEntriesResponse{Term: term, Success: true}, nil)
			case <-done:
				return
			}
		}
	}()
}

func TestRaftsRequestsReachTheWantedServerOnly(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	answerRaft(t, b, 7)
	req := &raft.AppendEntriesRequest{
		RPCHeader: raft.RPCHeader{ID: []byte("a.1"), Addr: []byte(a.Address())}, Term: 7,
		Entries: []*raft.Log{{Index: 1, Term: 7, Data: []byte("entry")}},
	}
	var resp raft.AppendEntriesResponse
	if err := a.Raft().AppendEntries("b.1", b.Address(), req, &resp); err != nil || resp.Term != 7 || !resp.Success {
		t.Errorf("answer %+v (%v), want success in term 7", resp, err)
	}
	if err := a.Raft().AppendEntries("b.2", b.Address(), req, &resp); !errors.Is(err, transport.ErrWrongServer) {
		t.Errorf("a request for another server: err = %v, want ErrWrongServer", err)
	}
}

func TestCloseEndsRaftsConnections(t *testing.T) {
	a, b := listen(t, "a.1"), listen(t, "b.1")
	answerRaft(t, b, 7)
	var resp raft.AppendEntriesResponse
	req := &raft.AppendEntriesRequest{Term: 7}
	if err := a.Raft().AppendEntries("b.1", b.Address(), req, &resp); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// The pooled connection of a is broken, and no new one is to be had.
	for range 2 {
		if err := a.Raft().AppendEntries("b.1", b.Address(), req, &resp); err == nil {
			t.Error("a closed server answers")
		}
	}
}
