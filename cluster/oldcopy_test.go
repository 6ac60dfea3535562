package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"skerry/internal/clustertest"
)

// An image of a node's disk, made in a site of three and younger than what the site
// notes of its servers. Then readings that the node and the leader acknowledge, and
// the third one never sees.
func imaged(t *testing.T) (s *clustertest.Site, lead, copied, behind *clustertest.Member, image clustertest.Image) {
	s = clustertest.Open(t, 3, nil)
	post(t, s, 0, 3)
	noted(s)
	s.Agree()
	lead, others := s.Leader(), s.Followers()
	copied, behind = others[0], others[1]
	s.Network.Isolate(behind.Address, true)
	lead.MustPropose(clustertest.Reading(t, "pump-7", "temperature", 10e6, 1))
	<-time.After(time.Minute)
	lead.MustPropose(clustertest.Reading(t, "pump-7", "temperature", 70e6, 1))
	image = copied.Image()
	<-time.After(time.Minute)
	lead.MustPropose(clustertest.Reading(t, "pump-7", "temperature", 130e6, 1))
	return s, lead, copied, behind, image
}

// nobodyLeads watches a site for a time.
func nobodyLeads(t *testing.T, s *clustertest.Site, during time.Duration) {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); <-time.After(300 * time.Millisecond) {
		for _, m := range s.Up() {
			if m.Status().State == "leader" {
				t.Fatalf("%s leads without a reading that was acknowledged%s", m.Name, m.Describe())
			}
		}
	}
}

// The copy and the one that is behind are a majority, and neither knows of the last
// reading.
func TestAnOldCopyIsNotBelievedWhileAnotherNodeIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, lead, copied, behind, image := imaged(t)
		lead.Crash()
		copied.Crash()
		copied.Put(image)
		s.Network.Isolate(behind.Address, false)
		copied.Start(3)
		nobodyLeads(t, s, 9*time.Minute)
		lead.Start(3)
		s.Leader()
		wantCount(t, s, 6)
	})
}

// All nodes can be asked, and none leads: the one that holds the most must. Who
// stands for election first is chance.
func TestAnOldCopyElectsNobodyWhoHoldsLessThanAnother(t *testing.T) {
	for range 8 {
		synctest.Test(t, electedAfterAnOldCopy)
	}
}

func electedAfterAnOldCopy(t *testing.T) {
	s, lead, copied, behind, image := imaged(t)
	for _, m := range s.Nodes {
		m.Crash()
	}
	copied.Put(image)
	s.Network.Isolate(behind.Address, false)
	s.Network.Isolate(lead.Address, false)
	for _, m := range []*clustertest.Member{copied, behind, lead} {
		m.Start(3)
	}
	s.Leader()
	wantCount(t, s, 6)
}

// One lags by minutes, another one is lost for good: after a long wait the site
// comes back by itself.
func TestASiteComesBackWithoutANodeThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		lead, others := s.Leader(), s.Followers()
		others[0].Crash()
		for i := range uint64(3) {
			lead.MustPropose(clustertest.Reading(t, "pump-7", "temperature", int64(10e6+i), 1))
			<-time.After(time.Minute)
		}
		others[1].Crash()
		<-time.After(time.Second) // the leader's lease is over
		others[0].Start(3)
		nobodyLeads(t, s, 9*time.Minute)
		<-time.After(2 * time.Minute)
		s.Leader()
		wantCount(t, s, 6)
	})
}
