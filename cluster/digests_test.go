package cluster_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"skerry/cluster"
	"skerry/internal/clustertest"
)

func TestTheNodeWhoseDigestDiffersFromAMajorityIsReplaced(t *testing.T) {
	for _, who := range []string{"a follower", "the leader"} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := clustertest.Open(t, 3, nil)
				post(t, s, 0, 9)
				m := s.Leader()
				if who == "a follower" {
					m = s.Followers()[0]
				}
				was := id(t, m)
				m.Diverge()
				if err := m.Failed(); !errors.Is(err, cluster.ErrQuarantined) {
					t.Errorf("it ends with %v, want ErrQuarantined", err)
				}
				m.Crash()
				m.Start(3)
				s.Wait("a new server in its place", func() bool {
					for _, member := range s.Leader().Members() {
						if member.ID == string(was) || member.Role == "non-voter" {
							return false
						}
					}
					return m.Status().LastSeq == 9
				})
				post(t, s, 9, 3)
				wantCount(t, s, 12)
			})
		})
	}
}

// Under load nodes are seldom at the same entry when they are asked: they
// compare what they noted at the same ones.
func TestDigestsAreComparedUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		m := s.Followers()[0]
		m.Diverge()
		post(t, s, 0, 1)
		for i := 0; i < 1100; i++ { // past the next index that all note
			s.Leader().MustPropose(clustertest.Reading(t, "d", "r", int64(i), 1))
		}
		if err := m.Failed(); !errors.Is(err, cluster.ErrQuarantined) {
			t.Errorf("it ends with %v, want ErrQuarantined", err)
		}
		m.Crash()
		m.Start(3)
		s.Leader()
	})
}

func TestWithoutAMajorityForADigestAllSoundTheAlarmAndNobodyStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 9)
		for _, m := range s.Nodes {
			if err := m.Alarm(); err != nil {
				t.Errorf("%s sounds an alarm without a reason: %v", m.Name, err)
			}
		}
		s.Agree()
		followers := s.Followers()
		followers[0].Diverge()
		followers[1].Diverge()
		followers[1].Diverge()
		s.Wait("an alarm everywhere", func() bool {
			for _, m := range s.Nodes {
				if !errors.Is(m.Alarm(), cluster.ErrDiverged) || m.Status().Alarm == "" {
					return false
				}
			}
			return true
		})
		for _, m := range s.Nodes { // before they are compared: they differ
			m.Stop()
		}
	})
}
