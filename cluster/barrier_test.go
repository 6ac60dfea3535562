package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/internal/clustertest"
)

// A new leader holds what the old one acknowledged, but has not applied it: it
// learns that it is committed only with an entry of its own term. Its first
// read waits for that.
func TestANewLeadersFirstReadHasWhatTheOldOneAcknowledged(t *testing.T) {
	for range 20 { // now and then the others hear of the commit in time
		met := false
		synctest.Test(t, func(t *testing.T) { met = readAtNewLeader(t) })
		if met {
			return
		}
	}
	t.Error("no new leader was behind what the old one acknowledged")
}

// readAtNewLeader reports whether the new leader was behind when it was asked.
func readAtNewLeader(t *testing.T) (behind bool) {
	s := clustertest.Open(t, 3, nil)
	s.Agree()
	old := s.Leader()
	r := old.MustPropose(clustertest.Reading(t, "pump-7", "temperature", 1e6, 1))
	s.Network.Isolate(old.Address, true)
	slow := func(delay time.Duration) {
		for _, m := range s.Up() {
			if m != old {
				m.SlowLog(func() time.Duration { return delay })
			}
		}
	}
	slow(100 * time.Millisecond) // votes are not in the log
	lead := elected(s, old)
	behind = lead.Status().LastSeq == 0
	got := history(t, lead, cluster.Linearizable)
	if len(got) != 1 || got[0].Seq != r.Outcomes[0].First {
		t.Errorf("the first read has %d readings, want the one that was acknowledged as %d", len(got), r.Outcomes[0].First)
	}
	slow(0)
	s.Network.Isolate(old.Address, false)
	return behind
}
