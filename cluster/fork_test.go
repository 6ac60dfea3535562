package cluster_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/internal/clustertest"
)

// grown is a site of three that began with one node, and an image of that one's disk
// from when it was alone. Started from it the node leads a site of its own.
func grown(t *testing.T) (s *clustertest.Site, first *clustertest.Member, alone clustertest.Image) {
	s = clustertest.Open(t, 1, nil)
	first = s.Nodes[0]
	post(t, s, 0, 3)
	alone = first.Image()
	for i, name := range []string{"n2", "n3"} {
		s.Add(name)
		s.Wait("voter more", func() bool { return voters(s) == i+2 })
	}
	post(t, s, 3, 3)
	s.Agree()
	<-time.After(5 * time.Second)
	return s, first, alone
}

// The others must believe nothing that it says, and it must end when it hears of them.
func wantForkEnds(t *testing.T, s *clustertest.Site, first *clustertest.Member, readings int) {
	t.Helper()
	if err := first.Failed(); !errors.Is(err, cluster.ErrOldCopy) {
		t.Errorf("an image of the time when the node was alone ended with %v, want ErrOldCopy", err)
	}
	first.Crash()
	if err := first.Refused(); !errors.Is(err, cluster.ErrOldCopy) {
		t.Errorf("the next start ends with %v, want ErrOldCopy", err)
	}
	for _, m := range s.Up() {
		if err := m.FailedNow(); err != nil {
			t.Fatalf("%s went by the word of an old copy: %v", m.Name, err)
		}
	}
	s.Leader()
	wantCount(t, s, readings)
}

func TestTheOthersStayWhenAnImageOfTheTimeAloneLeadsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, first, alone := grown(t)
		for _, m := range s.Nodes {
			m.Crash()
		}
		first.Put(alone)
		for _, m := range s.Nodes {
			m.Start(3)
			<-time.After(2 * time.Second)
		}
		wantForkEnds(t, s, first, 6)
	})
}

func TestTheOthersStayWhenAnImageOfTheTimeAloneIsOfARemovedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, first, alone := grown(t)
		first.Crash()
		first.Disk = disk.NewMemory()
		first.Start(3)
		s.Wait("new server in its place", inPlace(s, first))
		post(t, s, 6, 3)
		first.Crash()
		first.Put(alone)
		first.Start(3)
		for _, m := range s.Nodes[1:] {
			m.Crash()
			m.Start(3)
			<-time.After(2 * time.Second)
		}
		wantForkEnds(t, s, first, 9)
	})
}

// The leader has begun to remove a server, which no majority knows of: a reading that
// the leader and this server hold was acknowledged.
func TestAServerWhoseRemovalIsNotCommittedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil, func(c *cluster.Config) { c.Profile = "sdcard" })
		post(t, s, 0, 3)
		s.Agree()
		<-time.After(5 * time.Second)
		lead, others := s.Leader(), s.Followers()
		removed, hangs := others[0], others[1]
		resume := hangs.StallLog()
		lead.MustPropose(clustertest.Reading(t, "pump-7", "temperature", 10e6, 1))
		was := id(t, removed)
		ended := make(chan error, 1)
		go func() { ended <- lead.Remove(was) }()
		<-time.After(200 * time.Millisecond)
		if a := lead.TellKnown(t.Context(), was); !a.Leads || a.Removed {
			t.Errorf("the leader leads is %v, says that it has removed the server is %v, want only the first", a.Leads, a.Removed)
		}
		removed.Crash()
		removed.Start(3)
		<-time.After(time.Second)
		if err := removed.FailedNow(); err != nil {
			t.Errorf("it ended with %v while its removal is not committed", err)
		}
		resume()
		if err := <-ended; err != nil {
			t.Errorf("the removal ended with %v", err)
		}
		wantRemoved(t, removed)
		removed.Crash()
		removed.Start(3)
		s.Wait("new server in its place", inPlace(s, removed))
		wantCount(t, s, 4)
	})
}

// A majority still has the history of before the restore: they are the site. None of
// them has a snapshot that says which history theirs is.
func TestAMajorityOfBeforeARestoreGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		first := s.Nodes[0]
		var file bytes.Buffer
		if err := first.Save(t.Context(), &file); err != nil {
			t.Fatal(err)
		}
		post(t, s, 3, 3)
		s.Agree()
		for _, m := range s.Nodes {
			m.Crash()
		}
		beginFrom(t, s, first, &file, dir)
		for _, m := range s.Nodes[1:] {
			m.Start(3)
		}
		<-time.After(20 * time.Second)
		for _, m := range s.Nodes[1:] {
			if err := m.FailedNow(); err != nil {
				t.Errorf("%s ended with %v", m.Name, err)
			}
		}
		first.Crash()
		s.Leader()
		wantCount(t, s, 6)
	})
}
