package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// ledger is what a device was told of its readings.
type ledger struct {
	tb      testing.TB
	s       *clustertest.Site
	next    int
	acked   map[float64]bool
	refused map[float64]bool
}

func newLedger(tb testing.TB, s *clustertest.Site) *ledger {
	return &ledger{tb: tb, s: s, acked: map[float64]bool{}, refused: map[float64]bool{}}
}

// post offers one reading at a member and notes what became of it.
func (l *ledger) post(m *clustertest.Member) error {
	l.tb.Helper()
	l.next++
	value := float64(l.next)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	result, err := m.Propose(ctx, clustertest.Reading(l.tb, "pump-7", "temperature", int64(l.next)*1e6, value))
	switch {
	case err == nil && result.Outcomes[0].Code == fsm.Stored:
		l.acked[value] = true
	case errors.Is(err, cluster.ErrDiskFull), errors.Is(err, cluster.ErrNoLeader):
		l.refused[value] = true
	}
	return err
}

// taken posts until a reading is taken again.
func (l *ledger) taken(m func() *clustertest.Member) {
	l.tb.Helper()
	l.s.Wait("reading that is taken", func() bool { return l.post(m()) == nil })
}

// check looks for what was acknowledged and what was refused on every member.
func (l *ledger) check() {
	l.tb.Helper()
	for _, m := range l.s.Up() {
		found := map[float64]int{}
		for _, x := range history(l.tb, m, cluster.Linearizable) {
			found[x.Value.Number]++
		}
		for v := range l.acked {
			if found[v] != 1 {
				l.tb.Errorf("%s has reading %v %d times, want once: it was acknowledged", m.Name, v, found[v])
			}
		}
		for v := range l.refused {
			if found[v] != 0 {
				l.tb.Errorf("%s has reading %v, which was refused", m.Name, v)
			}
		}
	}
}

func disks(s *clustertest.Site) (text string) {
	for _, m := range s.Up() {
		text += fmt.Sprintf("\n  %s: %+v", m.Name, m.Status().SpaceStatus)
	}
	return text
}

func TestReadingsAreRefusedWhileNoMajorityHasRoomAndTakenAgainByItself(t *testing.T) {
	for full := 1; full <= 3; full++ {
		t.Run(fmt.Sprint(full, " of 3 disks full"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := clustertest.Open(t, 3, nil)
				l := newLedger(t, s)
				for range 20 {
					if err := l.post(s.Leader()); err != nil {
						t.Fatal(err)
					}
				}
				s.Leader().MustPropose(fsm.CutCommand{})
				s.Agree()
				for _, m := range append(s.Followers(), s.Leader())[:full] {
					m.LeaveRoom(100)
				}
				s.Wait("reports", func() bool {
					n := 0
					for _, m := range s.Up() {
						if m.Status().Disk.State != "ok" {
							n++
						}
					}
					return n == full
				})
				<-time.After(5 * time.Second) // a survey and a look at it
				for _, m := range s.Up() {
					err := l.post(m)
					if full == 1 && err != nil {
						t.Errorf("%s: %v, want the reading taken: a majority has room%s", m.Name, err, disks(s))
					}
					if full > 1 && !errors.Is(err, cluster.ErrDiskFull) {
						t.Errorf("%s: %v, want ErrDiskFull%s", m.Name, err, disks(s))
					}
				}
				if full > 1 && !s.Leader().Status().Refusing {
					t.Error("the leader's status does not say that it refuses")
				}
				// What makes room goes on.
				s.Leader().MustPropose(fsm.CutCommand{})
				s.Leader().MustPropose(fsm.SetRetentionCommand{Retention: fsm.Retention{Readings: fsm.Keep{Age: 1 << 50}}})
				for _, m := range s.Up() {
					m.Disk.SetCapacity(0)
				}
				l.taken(s.Leader)
				s.Wait("all disks ok", func() bool {
					for _, m := range s.Up() {
						if st := m.Status().Disk; st.State != "ok" || !st.ReserveHeld {
							return false
						}
					}
					return true
				})
				s.Agree()
				l.check()
			})
		})
	}
}

func TestALeaderWithoutRoomHandsTheLeadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		l := newLedger(t, s)
		was := s.Leader()
		if err := l.post(was); err != nil {
			t.Fatal(err)
		}
		was.LeaveRoom(100)
		lead := elected(s, was)
		if err := l.post(lead); err != nil {
			t.Errorf("the next leader: %v", err)
		}
		was.Disk.SetCapacity(0)
		l.check()
	})
}

func TestALeaderThatLacksRowsHandsTheLeadOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil, func(c *cluster.Config) { c.FetchRate = 1 }) // a byte a second
		post(t, s, 0, 20)
		s.Leader().MustPropose(fsm.CutCommand{})
		s.Wait("files", func() bool {
			for _, m := range s.Up() {
				if len(m.Disk.Names("segments/readings/")) != 1 {
					return false
				}
			}
			return true
		})
		was := s.Leader()
		term := was.Status().Term
		<-time.After(time.Minute)
		if now := s.Leader(); now != was || now.Status().Term != term {
			t.Fatalf("%s leads in term %d, want %s in %d still: it lacks nothing", now.Name, now.Status().Term, was.Name, term)
		}
		name := was.Disk.Names("segments/readings/")[0]
		for at := range int64(64) {
			was.Disk.Corrupt(name, 4+at, 3)
		}
		if found, err := was.Scrub(context.Background()); found != 1 || err != nil {
			t.Fatalf("the scrub found %d files (%v), want one", found, err)
		}
		start := time.Now()
		next := elected(s, was)
		if took := time.Since(start); took < 10*time.Second || took > 30*time.Second || was.Status().Missing != 1 {
			t.Errorf("%s leads after %s, %d cuts are missing; want another after 10 s to 30 s, while one is", next.Name, took, was.Status().Missing)
		}
		post(t, s, 20, 1)
	})
}

func TestAFollowerThatReturnsToAFullDiskCountsAsDownAndCatchesUpByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		l := newLedger(t, s)
		down := s.Followers()[0]
		down.Stop()
		for range 50 {
			if err := l.post(s.Leader()); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range s.Up() { // it will need a snapshot
			for range 3 {
				if err := m.Snapshot(); err != nil {
					t.Fatal(err)
				}
				if err := l.post(s.Leader()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := down.Disk.Remove("reserve"); err != nil {
			t.Fatal(err)
		}
		down.LeaveRoom(100)
		down.Start(3)
		s.Wait("a full disk", func() bool { return down.Status().Disk.State == "full" })
		requests := 0
		before := down.Status().AppliedIndex
		for range 60 {
			if err := l.post(s.Leader()); err != nil {
				t.Fatalf("the others go on: %v%s", err, disks(s))
			}
			<-time.After(time.Second)
			requests++
		}
		if st := down.Status(); st.AppliedIndex != before || st.State == "leader" {
			t.Errorf("a full node is a %s and went from %d to %d", st.State, before, st.AppliedIndex)
		}
		down.Disk.SetCapacity(0)
		s.Agree()
		l.check()
	})
}

// fillDisks leaves no room on any node's disk, not even the reserve's.
func fillDisks(t *testing.T, s *clustertest.Site) {
	t.Helper()
	for _, m := range s.Up() {
		if err := m.Disk.Remove("reserve"); err != nil {
			t.Fatal(err)
		}
		m.LeaveRoom(0)
	}
	s.Wait("full disks", func() bool {
		for _, m := range s.Up() {
			if m.Status().Disk.State != "full" {
				return false
			}
		}
		return true
	})
}

// Where not even the reserves are left, a drop is still agreed on, and makes room.
func TestFullNodesStillAgreeOnWhatMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		l := newLedger(t, s)
		shelves(t, s, l, 3)
		marked(t, s, 10)
		fillDisks(t, s)
		keep(s, fsm.Retention{Readings: fsm.Keep{Age: 1 << 50}})
		s.Wait("a drop", func() bool { return s.Leader().Status().RetainedFrom == 11 })
		s.Agree()
		for _, m := range s.Up() {
			m.Disk.SetCapacity(0)
		}
		l.taken(s.Leader)
	})
}
