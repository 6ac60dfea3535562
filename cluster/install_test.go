package cluster_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/internal/clustertest"
)

// The defect is hashicorp/raft issue 697: a follower whose log goes on beyond a
// leader's snapshot, with entries that are not the leader's, would take the
// snapshot again and again, since raft forgets to forget where its log ended.
func TestAFollowerThatWouldTakeOneSnapshotForeverStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Agree()
		old := s.Leader()
		s.Network.Isolate(old.Address, true)
		old.AppendForNothing(800)
		elected(s, old)
		for range 2 { // the second one drops the log before the first, but for 256 entries
			for i := range 300 {
				elected(s, old).MustPropose(clustertest.Reading(t, "d", "r", int64(i), 1))
			}
			for _, m := range s.Nodes {
				if m != old {
					if err := m.Snapshot(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		s.Network.Isolate(old.Address, false)
		if err := old.Failed(); !errors.Is(err, cluster.ErrLogGoesOn) {
			t.Errorf("it ends with %v, want ErrLogGoesOn", err)
		}
		old.Crash()
		old.Start(3)
		s.Leader()
		s.Agree()
		wantCount(t, s, 600)
	})
}
