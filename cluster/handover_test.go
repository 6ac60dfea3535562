package cluster_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/internal/clustertest"
)

// id is a member's ServerID.
func id(tb testing.TB, m *clustertest.Member) raft.ServerID {
	tb.Helper()
	for _, other := range m.Members() {
		if other.Name == m.Name {
			return raft.ServerID(other.ID)
		}
	}
	tb.Fatalf("%s is no member of its site", m.Name)
	return ""
}

func TestALeaderThatCannotGoOnHasAnotherElected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		lead := s.Leader()
		resume := lead.StallLog()
		defer resume()
		posted := make(chan error, 1)
		go func() { // its main loop hangs in a write
			_, err := lead.Propose(context.Background(), clustertest.Reading(t, "d", "r", 1e6, 1))
			posted <- err
		}()
		synctest.Wait()
		reason := errors.New("the disk is gone")
		start := time.Now()
		lead.Fail(reason)
		if err := lead.Failed(); !errors.Is(err, reason) {
			t.Errorf("it ends with %v, want the reason", err)
		}
		elected(s, lead)
		// A follower's patience ends 300 ms after the last heartbeat or later.
		if took := time.Since(start); took > 250*time.Millisecond {
			t.Errorf("the next leader took %s: the others waited for a sign of life", took)
		}
		lead.Crash()
		if err := <-posted; err == nil {
			t.Error("a node that cannot go on acknowledged a reading")
		}
		lead.Start(3)
		s.Leader()
		wantCount(t, s, 3)
	})
}

// holding is a raft transport whose requests with entries to one server can be
// held up for good, as on a connection whose other end is gone.
type holding struct {
	raft.Transport
	mu   sync.Mutex
	from chan struct{} // held requests end when it is closed; nil holds none
	to   raft.ServerAddress
}

func (h *holding) hold(to raft.ServerAddress, until chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.to, h.from = to, until
}

// AppendEntries is raft.Transport's.
func (h *holding) AppendEntries(id raft.ServerID, to raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	h.mu.Lock()
	until := h.from
	if to != h.to || req.PrevLogEntry == 0 { // a heartbeat
		until = nil
	}
	h.mu.Unlock()
	if until != nil {
		<-until
		return errors.New("the connection is gone")
	}
	return h.Transport.AppendEntries(id, to, req, resp)
}

// RequestPreVote is raft.WithPreVote's.
func (h *holding) RequestPreVote(id raft.ServerID, to raft.ServerAddress, req *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return h.Transport.(raft.WithPreVote).RequestPreVote(id, to, req, resp)
}

// The defect is hashicorp/raft issue 696: a leader that tried twice to hand the
// lead to a server it cannot reach, lost the lead and won it again takes no
// entries any more. raft's goroutines stay blocked for good, so this is no test
// for a bubble of synctest.
func TestATransferThatNeverEndsEndsTheNodeAndNotTheSite(t *testing.T) {
	t.Parallel()
	s := clustertest.Open(t, 3, nil)
	old := s.Leader()
	old.Stop()
	held := &holding{}
	old.Wrap = func(inner raft.Transport) raft.Transport {
		held.Transport = inner
		return held
	}
	old.Start(3)
	s.Wait("the lead back", func() bool {
		if lead := s.Leader(); lead != old {
			_ = lead.HandLeadOn(context.Background(), id(t, old))
		}
		return s.Leader() == old
	})
	deaf := s.Followers()[0]
	until := make(chan struct{})
	release := sync.OnceFunc(func() { close(until) })
	defer release()
	held.hold(deaf.Address, until)
	post(t, s, 0, 1) // which deaf does not get
	for range 2 {
		if err := old.HandLeadOn(context.Background(), id(t, deaf)); err == nil {
			t.Fatal("the lead went to a server that cannot be reached")
		}
	}
	s.Network.Isolate(old.Address, true)
	next := elected(s, old)
	held.hold("", nil) // what hangs goes on to hang
	s.Network.Isolate(old.Address, false)
	s.Wait("agreement on the leader", func() bool { return old.Status().Leader == next.Name })
	<-time.After(time.Second) // it catches up
	if err := next.HandLeadOn(context.Background(), id(t, old)); err != nil {
		t.Fatal(err)
	}
	if err := old.Failed(); !errors.Is(err, cluster.ErrTransferStuck) {
		t.Errorf("it ends with %v, want ErrTransferStuck", err)
	}
	release()
	old.Crash()
	old.Start(3)
	s.Leader()
	post(t, s, 1, 1)
	wantCount(t, s, 2)
}
