package cluster_test

import (
	"testing"
	"testing/synctest"

	"skerry/internal/clustertest"
)

// Elections fill a log with entries of raft's own.
func TestANodeJoinsASiteThatHadManyElectionsAndNoReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		for range 140 {
			lead := s.Leader()
			s.Network.Isolate(lead.Address, true)
			elected(s, lead)
			s.Network.Isolate(lead.Address, false)
		}
		s.Add("n4")
		s.Wait("fourth voter", func() bool {
			for _, m := range s.Leader().Members() {
				if m.Name == "n4" && m.Role == "voter" {
					return true
				}
			}
			return false
		})
	})
}
