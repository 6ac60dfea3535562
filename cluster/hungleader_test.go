package cluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster"
	"skerry/cluster/transport"
	"skerry/internal/clustertest"
)

// replaced cuts the leader off and puts another end of the network in its
// place, which serves as given. Followers believe in the leader until they miss
// its heartbeats. restore brings it back.
func replaced(tb testing.TB, s *clustertest.Site, serve transport.Handler) (follower *clustertest.Member, restore func()) {
	tb.Helper()
	lead := s.Leader()
	follower = s.Followers()[0]
	follower.MustPropose(clustertest.Reading(tb, "d", "r", 1e6, 1)) // it knows the leader's log time
	var id raft.ServerID
	for _, m := range follower.Members() {
		if m.Name == lead.Name {
			id = raft.ServerID(m.ID)
		}
	}
	s.Network.Isolate(lead.Address, true)
	end := s.Network.Join(id, lead.Address)
	if serve != nil {
		end.Serve(serve)
	}
	s.Network.Isolate(lead.Address, false)
	return follower, func() {
		lead.Crash()
		if err := end.Close(); err != nil {
			tb.Error(err)
		}
		lead.Start(3)
		s.Leader()
	}
}

// hangs is a leader whose power was cut, or whose process was stopped: it takes
// what is sent and never answers.
func hangs(ctx context.Context, _ string, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAProposalLeavesALeaderThatHangsForTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		follower, restore := replaced(t, s, hangs)
		start := time.Now()
		follower.MustPropose(clustertest.Reading(t, "d", "r", 2e6, 2))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %s to store a reading, want the time of an election", took)
		}
		restore()
		wantCount(t, s, 2)
	})
}

func TestALinearizableReadLeavesALeaderThatHangsForTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		follower, restore := replaced(t, s, hangs)
		start := time.Now()
		if _, err := follower.View(context.Background(), cluster.Linearizable); err != nil {
			t.Errorf("view: %v", err)
		}
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("it took %s to read, want the time of an election", took)
		}
		restore()
	})
}

func TestALeaderThatIsStartingAgainIsAskedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		follower, restore := replaced(t, s, nil) // bound, and not yet serving
		if _, err := follower.Propose(context.Background(), clustertest.Reading(t, "d", "r", 2e6, 2)); err != nil {
			t.Errorf("propose: %v", err)
		}
		restore()
		wantCount(t, s, 2)
	})
}
