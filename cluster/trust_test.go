package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/logstore"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// A reading that two of three acknowledged; one of them loses it again, while
// the other one is away. The third, which never had it, must not be elected.
func TestANodeThatLostEntriesElectsNobodyWithoutThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		s.Agree()
		lead, others := s.Leader(), s.Followers()
		hurt, behind := others[0], others[1]
		s.Network.Isolate(behind.Address, true)
		lead.MustPropose(clustertest.Reading(t, "pump-7", "temperature", 10e6, 1))
		<-time.After(2 * logstore.HintWithin) // from then on the loss is noticed
		hurt.Crash()
		lead.Crash()
		hurt.Lose(1)
		s.Network.Isolate(behind.Address, false)
		hurt.Start(3)
		for range 100 {
			<-time.After(300 * time.Millisecond)
			for _, m := range s.Up() {
				if m.Status().State == "leader" {
					t.Fatalf("%s leads without the reading%s", m.Name, m.Describe())
				}
			}
		}
		if got := hurt.Status().State; got != "convalescent" {
			t.Errorf("the node that lost entries is a %s, want convalescent", got)
		}
		lead.Start(3)
		s.Leader()
		s.Wait("a node that is whole again", func() bool { return hurt.Status().State != "convalescent" })
		wantCount(t, s, 4)

		// It votes again: with it alone the others elect and store.
		down := s.Leader()
		down.Stop()
		elected(s, down)
		post(t, s, 10, 1)
		down.Start(3)
		s.Leader()
	})
}

// noted waits until the site remembers how its servers stand.
// What a node held when it took part it may have voted by, though the hint of its
// log's end was of before.
func TestWhatANodeHoldsWhenItTakesPartIsMissedWhenItIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		s.Agree()
		<-time.After(2 * logstore.HintWithin)
		hurt := s.Followers()[0]
		post(t, s, 0, 20)
		s.Agree()
		hurt.Crash() // before the hint follows
		hurt.Start(3)
		s.Wait("a node that takes part", func() bool { return hurt.Status().State == "follower" })
		hurt.Crash()
		hurt.Lose(10)
		hurt.Start(3)
		s.Wait("a node that is whole again", func() bool { return hurt.Status().State == "follower" })
		if said := hurt.Said(); !strings.Contains(said, "the log is damaged") {
			t.Errorf("a node that lost entries which it held when it took part says %q", said)
		}
	})
}

func noted(s *clustertest.Site) {
	s.Wait("a site that knows its servers", func() bool {
		for _, m := range s.Up() {
			if m.SeenServers() < len(s.Nodes) {
				return false
			}
		}
		return true
	})
}

func TestAnOlderCopyOfADataDirectoryIsRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		since   func(t *testing.T, s *clustertest.Site, m *clustertest.Member) // the image was made
		restart bool                                                           // of all nodes
	}{
		{"which was started since", func(_ *testing.T, s *clustertest.Site, m *clustertest.Member) {
			m.Stop()
			m.Start(3)
			s.Agree()
			<-time.After(10 * time.Second) // the leader asks its servers now and then
		}, false},
		{"which was started since, after a power cut of all nodes", func(_ *testing.T, s *clustertest.Site, m *clustertest.Member) {
			m.Stop()
			m.Start(3)
			s.Agree()
			<-time.After(10 * time.Second)
		}, true},
		{"whose node ran on for hours", func(t *testing.T, s *clustertest.Site, _ *clustertest.Member) {
			post(t, s, 10, 1)
			<-time.After(time.Hour)
			post(t, s, 20, 1)
			<-time.After(10 * time.Second)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := clustertest.Open(t, 3, nil)
				post(t, s, 0, 3)
				noted(s)
				m := s.Followers()[0]
				image := m.Image()
				c.since(t, s, m)
				up := []*clustertest.Member{m}
				if c.restart {
					up = s.Up()
				}
				for _, m := range up {
					m.Crash()
				}
				now := m.Image()
				m.Put(image)
				before := unlogged(t, m)
				for _, m := range up {
					m.Start(3)
				}
				if err := m.Failed(); !errors.Is(err, cluster.ErrOldCopy) {
					t.Errorf("it ends with %v, want ErrOldCopy", err)
				}
				m.Crash()
				for name, was := range unlogged(t, m) {
					if was != before[name] {
						t.Errorf("%s was refused and has changed %s", m.Name, name)
					}
				}
				s.Leader()
				m.Put(now)
				m.Start(3)
				s.Leader()
				post(t, s, 30, 1)
			})
		})
	}
}

// unlogged are the files of a member but those of the log, whose end every start
// makes fast.
func unlogged(tb testing.TB, m *clustertest.Member) map[string]string {
	tb.Helper()
	all := files(tb, m)
	for name := range all {
		if strings.HasPrefix(name, "raft/log/") {
			delete(all, name)
		}
	}
	return all
}

// The site's memory of its servers is small, and an idle site writes nothing.
func TestAnIdleSiteNotesItsServersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		noted(s)
		<-time.After(time.Minute)
		before := s.Leader().Status().AppliedIndex
		<-time.After(90 * time.Minute)
		if got := s.Leader().Status().AppliedIndex; got > before+1 {
			t.Errorf("%d commands in 90 minutes in which nothing happened", got-before)
		}
	})
}

func TestAllNodesThatStartAtOnceElectWithoutDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		noted(s)
		for _, m := range s.Nodes {
			m.Crash()
		}
		start := time.Now()
		for _, m := range s.Nodes {
			m.Start(3)
		}
		s.Leader()
		// The silence that calls an election is 300 to 600 ms.
		if took := time.Since(start); took > time.Second {
			t.Errorf("a leader after %s, want within a second", took)
		}
		wantCount(t, s, 3)
	})
}

func TestAMajorityThatStartsAtOnceElectsAfterItsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 3)
		for _, m := range s.Nodes {
			m.Crash()
		}
		start := time.Now()
		for _, m := range s.Nodes[:2] {
			m.Start(3)
		}
		s.Leader()
		if took := time.Since(start); took < time.Second || took > 4*time.Second {
			t.Errorf("a leader after %s, want the patience of a second and an election", took)
		}
		s.Nodes[2].Start(3)
		s.Leader()
		wantCount(t, s, 3)
	})
}

func TestASeenServerNeverGoesBack(t *testing.T) {
	s := fsm.NewState()
	apply := applier(t, s)
	apply(fsm.Genesis{Site: "s", CutRows: 1, CutBytes: 1, WindowBytes: 1 << 20})
	apply(fsm.RaiseLevel{Term: 1, Level: 2})
	apply(fsm.SeenCommand{Term: 1, Servers: []fsm.Seen{{ID: "a.1", Generation: 5, Held: 10}, {ID: "b.1", Generation: 1}}})
	apply(fsm.SeenCommand{Term: 1, Servers: []fsm.Seen{{ID: "a.1", Generation: 4, Held: 20}}})
	got, _ := s.Seen()
	if len(got) != 1 || got[0] != (fsm.Seen{ID: "a.1", Generation: 5, Held: 20}) {
		t.Errorf("seen %+v, want a.1 alone, of start 5 and with entry 20", got)
	}
}

// applier applies commands of term 1 that must be taken.
func applier(t *testing.T, s *fsm.State) func(fsm.Command) {
	index := uint64(0)
	return func(cmd fsm.Command) {
		t.Helper()
		index++
		op, body := fsm.Encode(cmd)
		a, err := s.Apply(index, 1, fsm.AppendEntry(nil, fsm.Header{Op: op, LogTime: fsm.LogTime(index)}, body))
		if err != nil {
			t.Fatal(err)
		}
		if code := a.Outcomes[0][0].Code; code != fsm.Stored {
			t.Fatalf("%T: %v", cmd, code)
		}
	}
}
