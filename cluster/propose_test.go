package cluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

func TestWithoutALeaderARememberedMessageGetsItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		stored := clustertest.Reading(t, "d", "r", 1e6, 1)
		fresh := clustertest.Reading(t, "d", "r", 2e6, 2)
		first := s.Nodes[0].MustPropose(stored).Outcomes[0].First
		s.Agree()
		alone := s.Followers()[0]
		s.Network.Isolate(alone.Address, true)
		ctx := context.Background()
		r, err := alone.Propose(ctx, &fsm.Batch{Items: stored.Items})
		if err != nil || !r.Outcomes[0].Known || r.Outcomes[0].First != first {
			t.Errorf("the stored message got %+v (%v), want its seq %d as known", r, err, first)
		}
		if _, err := alone.Propose(ctx, &fsm.Batch{Items: fresh.Items}); !errors.Is(err, cluster.ErrNoLeader) {
			t.Errorf("a new message: err = %v, want ErrNoLeader", err)
		}
		s.Network.Isolate(alone.Address, false)
	})
}
