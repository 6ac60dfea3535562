package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/cluster/disk"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// rolling is a site whose members are restarted under load.
type rolling struct {
	*clustertest.Site
	mu    sync.Mutex
	nodes []*cluster.Node // that run, for the load
}

// load posts readings at all members, one after the other, until stop is called,
// which returns how many were acknowledged.
func (s *rolling) load(tb testing.TB) (stop func() int) {
	s.refresh(nil)
	ctx, cancel := context.WithCancel(context.Background())
	acked := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			s.mu.Lock()
			n := s.nodes[i%len(s.nodes)]
			s.mu.Unlock()
			r, err := n.Propose(ctx, clustertest.Reading(tb, "d", "r", int64(i+1), float64(i)))
			if err == nil && r.Outcomes[0].Code == fsm.Stored {
				acked++
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	return func() int { cancel(); wg.Wait(); return acked }
}

// refresh takes the members that are up, but one, for the load.
func (s *rolling) refresh(but *clustertest.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = nil
	for _, m := range s.Up() {
		if m != but {
			s.nodes = append(s.nodes, m.Node)
		}
	}
}

// restart is restart under load.
func (s *rolling) restart(m *clustertest.Member, level fsm.Level) {
	s.refresh(m)
	restart(s.Site, m, level)
	s.refresh(nil)
}

// restart starts a member again as a program that knows a level.
func restart(s *clustertest.Site, m *clustertest.Member, level fsm.Level) {
	m.Stop()
	m.Level = level
	m.Start(len(s.Nodes))
	s.Leader()
}

// try proposes the trial command.
func try(m *clustertest.Member, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := m.Propose(ctx, fsm.Trial{Text: text})
	if err != nil {
		return err
	}
	return r.Outcomes[0].Code.Err()
}

func atLevel(s *clustertest.Site, level fsm.Level) {
	s.Wait(fmt.Sprintf("level %d at all members", level), func() bool {
		return !slices.ContainsFunc(s.Up(), func(m *clustertest.Member) bool { return m.Status().Level != uint32(level) })
	})
}

// files are a member's files by name.
func files(tb testing.TB, m *clustertest.Member) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for _, name := range m.Disk.Names("") {
		b, err := disk.ReadFile(m.Disk, name, 1<<30)
		if err != nil {
			tb.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}

// A new version adds a command and a field. Nodes are restarted with it one by
// one, under load, and back as long as one is left that does not know it.
func TestARollingRestartWithAVersionThatAddsACommandAndAField(t *testing.T) {
	const was, next = fsm.NewestLevel, fsm.TrialLevel
	synctest.Test(t, func(t *testing.T) {
		s := &rolling{Site: clustertest.OpenAt(t, 3, was, nil)}
		atLevel(s.Site, was)
		stop := s.load(t)
		a, b, c := s.Nodes[0], s.Nodes[1], s.Nodes[2]

		s.restart(a, next)
		s.restart(b, next)
		for range 20 { // whoever leads
			<-time.After(time.Second)
			if err := try(a, "early"); err == nil {
				t.Error("a command is taken that one node does not know")
			}
		}
		s.restart(b, was) // back again
		s.restart(b, next)
		s.Wait("a leader of the next version that says what it waits for", func() bool {
			lead := s.Leader()
			if lead == c {
				s.restart(c, was)
				return false
			}
			return strings.Contains(lead.Status().LevelWaits, "upgrade n3")
		})
		if err := try(b, "early"); !errors.Is(err, cluster.ErrLevel) || !strings.Contains(err.Error(), "upgrade n3") {
			t.Errorf("before n3 knows it: %v, want ErrLevel and whom to upgrade", err)
		}
		for _, m := range s.Up() {
			if m.Status().Level > uint32(was) {
				t.Errorf("%s is at level %d while n3 does not know %d", m.Name, m.Status().Level, next)
			}
		}

		s.restart(c, next)
		atLevel(s.Site, next)
		if err := try(c, "now"); err != nil {
			t.Errorf("when all know it: %v", err)
		}
		acked := stop()
		s.Agree()
		for _, m := range s.Nodes {
			if err := m.Snapshot(); err != nil {
				t.Fatal(err)
			}
			s.restart(m, next)
		}
		s.Agree()
		for _, m := range s.Nodes {
			if got := m.Trial(); got != "now" {
				t.Errorf("%s has the field as %q, want now", m.Name, got)
			}
			if got := m.Status().LastSeq; got < uint64(acked) {
				t.Errorf("%s has %d readings, %d were acknowledged", m.Name, got, acked)
			}
		}

		a.Stop()
		before := files(t, a)
		a.Level = was
		if err := a.Refused(); err == nil || !strings.Contains(err.Error(), "has format 3 and this skerry knows up to 2: upgrade this node") {
			t.Errorf("the older version on the newer directory: %v, want it refused with what to do", err)
		}
		if after := files(t, a); !mapsEqual(before, after) {
			t.Error("the older version touched the newer directory")
		}
		a.Level = next
		a.Start(3)
		s.Leader()
	})
}

func mapsEqual(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// A server that does not answer may be of any version.
func TestTheLevelWaitsForANodeThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.OpenAt(t, 3, fsm.FirstLevel, nil)
		down := s.Followers()[0]
		down.Stop()
		for _, m := range s.Up() {
			restart(s, m, fsm.NewestLevel)
		}
		<-time.After(time.Minute)
		lead := s.Leader()
		if st := lead.Status(); st.Level != 1 || !strings.Contains(st.LevelWaits, "bring back or remove "+down.Name) {
			t.Errorf("level %d, which waits for %q; want 1 and the advice to bring back %s", st.Level, st.LevelWaits, down.Name)
		}
		down.Level = fsm.NewestLevel
		down.Start(3)
		atLevel(s, fsm.NewestLevel)
	})
}

func TestANodeOfALowerLevelIsNotAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		atLevel(s, fsm.NewestLevel)
		old := s.AddAt("n4", fsm.FirstLevel)
		<-time.After(time.Minute)
		for _, m := range s.Leader().Members() {
			if m.Name == "n4" && m.Role != "joining" {
				t.Errorf("n4 is a %s, want it still joining", m.Role)
			}
		}
		if said := old.Said(); !strings.Contains(said, "the site is at level 2") || !strings.Contains(said, "upgrade this node") {
			t.Errorf("n4 says %q, want what to do", said)
		}
		if said := s.Leader().Said(); !strings.Contains(said, "n4 is not added: it knows level 1 and the site is at 2: upgrade it") {
			t.Errorf("the leader says %q, want what to do", said)
		}
		old.Stop()
		old.Level = fsm.NewestLevel
		old.Start(3)
		s.Wait("n4 as a voter", func() bool {
			return slices.ContainsFunc(s.Leader().Members(), func(m cluster.Member) bool { return m.Name == "n4" && m.Role == "voter" })
		})
	})
}

// The directory says that it is newer before anything newer is in it: whatever
// the power cut left, an older program does not start to read it.
func TestADirectoryIsMarkedBeforeAnythingOfANewLevelIsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.OpenAt(t, 3, fsm.FirstLevel, nil)
		for _, m := range s.Nodes {
			if got := format(t, m); got != `"format": 1` {
				t.Errorf("%s begins with %s, want 1", m.Name, got)
			}
		}
		for _, m := range s.Nodes {
			m.OnStore(func(entry []byte) {
				if fsm.EntryLevel(entry) > fsm.FirstLevel {
					if got := format(t, m); got != `"format": 2` {
						t.Errorf("%s stores an entry of level 2 in a directory with %s", m.Name, got)
					}
				}
			})
			restart(s, m, fsm.NewestLevel)
		}
		atLevel(s, fsm.NewestLevel)
		// One that joins when the entry is in no log any more gets a snapshot.
		s.Agree()
		for range 600 {
			s.Leader().MustPropose(clustertest.Reading(t, "d", "r", 1, 1))
		}
		for range 2 {
			s.Agree()
			for _, m := range s.Nodes {
				if err := m.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
			s.Leader().MustPropose(clustertest.Reading(t, "d", "r", 1, 1))
		}
		late := s.Add("n4")
		s.Wait("level at n4", func() bool { return late.Status().Level == 2 })
		if got := format(t, late); got != `"format": 2` {
			t.Errorf("n4 was sent a snapshot of level 2 and has %s", got)
		}
	})
}

// format is the line of the member's identity, as it would be after a power cut.
func format(tb testing.TB, m *clustertest.Member) string {
	tb.Helper()
	f, err := m.Disk.Open("node.json")
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<16))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "format") {
			return strings.Trim(line, " ,\n")
		}
	}
	return "no format"
}
