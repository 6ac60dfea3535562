package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

// history reads a member's whole history at a consistency.
func history(tb testing.TB, m *clustertest.Member, c cluster.Consistency) []fsm.Reading {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	view, err := m.View(ctx, c)
	if err != nil {
		tb.Fatalf("view of %s: %v%s", m.Name, err, m.Describe())
	}
	list, err := view.After(context.Background(), 0, cluster.MaxLimit)
	if err != nil {
		tb.Fatalf("history of %s: %v", m.Name, err)
	}
	return list
}

// post proposes n readings, one at each member in turn.
func post(tb testing.TB, s *clustertest.Site, first, n int) {
	tb.Helper()
	up := s.Up()
	for i := first; i < first+n; i++ {
		up[i%len(up)].MustPropose(clustertest.Reading(tb, "pump-7", "temperature", int64(i+1)*1e6, float64(i)))
	}
}

func wantCount(tb testing.TB, s *clustertest.Site, want int) {
	tb.Helper()
	for _, m := range s.Up() {
		if got := history(tb, m, cluster.Linearizable); len(got) != want {
			tb.Errorf("%s has %d readings, want %d", m.Name, len(got), want)
		}
	}
}

// elected waits until a member other than not leads.
func elected(s *clustertest.Site, not *clustertest.Member) (lead *clustertest.Member) {
	s.Wait("another leader", func() bool {
		for _, m := range s.Up() {
			if st := m.Status(); m != not && st.State == "leader" && st.Ready {
				lead = m
				return true
			}
		}
		return false
	})
	return lead
}

func TestAReadingProposedAnywhereIsOnEveryNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 9)
		wantCount(t, s, 9)
	})
}

func TestTwentyMinutesOfCutLeadersLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		for i := range 20 {
			lead := s.Leader()
			post(t, s, i, 1)
			s.Network.Isolate(lead.Address, true)
			elected(s, lead)
			s.Network.Isolate(lead.Address, false)
			<-time.After(time.Minute)
		}
		s.Leader()
		wantCount(t, s, 20)
	})
}

func TestAllNodesCrashAtOnceAndKeepWhatWasAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 30)
		s.Nodes[0].MustPropose(&fsm.CutCommand{})
		post(t, s, 30, 30)
		for _, m := range s.Nodes {
			m.Crash()
		}
		for _, m := range s.Nodes {
			m.Start(3)
		}
		s.Leader()
		post(t, s, 60, 1)
		wantCount(t, s, 61)
	})
}

func TestASnapshotReplacesTheLogAndSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 30)
		s.Nodes[0].MustPropose(&fsm.CutCommand{})
		post(t, s, 30, 10)
		picture := []byte("\xff\xd8 the camera's own bytes \xff\xd9")
		s.Nodes[1].MustPropose(&fsm.FrameCommand{Key: fsm.Key{1}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: picture})
		s.Agree()
		for _, m := range s.Nodes {
			if err := m.Snapshot(); err != nil {
				t.Fatalf("snapshot of %s: %v", m.Name, err)
			}
		}
		for _, m := range s.Nodes {
			m.Crash()
			m.Start(3)
		}
		s.Leader()
		wantCount(t, s, 40)
		for _, m := range s.Up() {
			view, err := m.View(context.Background(), cluster.Linearizable)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := view.JPEG(context.Background(), 1); err != nil || !bytes.Equal(got, picture) {
				t.Errorf("%s has frame 1 as %q (%v)", m.Name, got, err)
			}
		}
	})
}

func TestANewNodeFetchesTheHistoryAndBecomesAVoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 30)
		s.Nodes[0].MustPropose(&fsm.FrameCommand{Key: fsm.Key{1}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: []byte("one")})
		s.Nodes[0].MustPropose(&fsm.CutCommand{})
		s.Nodes[0].MustPropose(&fsm.FrameCommand{Key: fsm.Key{2}, Device: "gate", Resource: "frame", Width: 8, Height: 8, JPEG: []byte("two")})
		post(t, s, 30, 5)
		s.Agree()
		snapshots(t, s)
		added := s.Add("n4")
		s.Wait("fourth voter", func() bool {
			for _, m := range s.Leader().Members() {
				if m.Name == "n4" && m.Role == "voter" {
					return true
				}
			}
			return false
		})
		if got := len(history(t, added, cluster.Local)); got != 35+posted {
			t.Errorf("the new node has %d readings, want %d", got, 35+posted)
		}
		s.Wait("all frames", func() bool { return added.Status().Missing == 0 })
		view, err := added.View(context.Background(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		for seq, want := range map[fsm.Seq]string{1: "one", 2: "two"} {
			if got, err := view.JPEG(context.Background(), seq); err != nil || string(got) != want {
				t.Errorf("frame %d = %q (%v), want %q", seq, got, err, want)
			}
		}
	})
}

func TestACutOffLeaderAnswersNoLinearizableRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		post(t, s, 0, 1)
		old := s.Leader()
		s.Network.Isolate(old.Address, true)
		// At once: the old leader still believes to lead.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := old.View(ctx, cluster.Linearizable); err == nil {
			t.Error("a leader without a majority answered a linearizable read")
		}
		elected(s, old).MustPropose(clustertest.Reading(t, "pump-7", "temperature", 2e6, 2))
		s.Network.Isolate(old.Address, false)
		if got := history(t, old, cluster.Linearizable); len(got) != 2 {
			t.Errorf("the deposed leader reads %d readings, want 2", len(got))
		}
	})
}

func TestWithoutAMajorityAProposalIsRefusedOrInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		lead := s.Leader()
		for _, m := range s.Nodes {
			if m != lead {
				m.Stop()
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_, err := lead.Propose(ctx, clustertest.Reading(t, "d", "r", 1e6, 1))
		if !errors.Is(err, cluster.ErrUnknown) && !errors.Is(err, cluster.ErrNoLeader) {
			t.Errorf("err = %v, want ErrUnknown or ErrNoLeader", err)
		}
		start := time.Now()
		if _, err := lead.Propose(context.Background(), clustertest.Reading(t, "d", "r", 2e6, 1)); !errors.Is(err, cluster.ErrNoLeader) {
			t.Errorf("err = %v, want ErrNoLeader", err)
		}
		if waited := time.Since(start); waited < 5*time.Second || waited > 6*time.Second {
			t.Errorf("it waited %s for a leader, want 5 s", waited)
		}
		for _, m := range s.Nodes {
			if m.Node == nil {
				m.Start(3)
			}
		}
		s.Leader()
	})
}

func TestTheSameKeyAtAnotherNodeIsStoredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		b := clustertest.Reading(t, "d", "r", 1e6, 1)
		first := s.Nodes[0].MustPropose(b).Outcomes[0]
		for _, m := range s.Nodes {
			again := m.MustPropose(&fsm.Batch{Items: b.Items}).Outcomes[0]
			if !again.Known || again.First != first.First {
				t.Errorf("%s answers %+v, want the first answer %+v as known", m.Name, again, first)
			}
		}
		wantCount(t, s, 1)
	})
}

func TestADutyRunsOnOneNodeAndItsCommandsEndWithItsTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type term struct {
			m    *clustertest.Member
			lead *cluster.Lead
		}
		began := make(chan term, 16)
		s := clustertest.Open(t, 3, func(m *clustertest.Member) []cluster.Duty {
			return []cluster.Duty{func(ctx context.Context, lead *cluster.Lead) {
				began <- term{m, lead}
				<-ctx.Done()
			}}
		})
		first := <-began
		s.Network.Isolate(first.m.Address, true)
		second := <-began
		if second.m == first.m {
			t.Fatalf("%s began again while it was cut off", second.m.Name)
		}
		s.Network.Isolate(first.m.Address, false)
		_, err := first.lead.Propose(context.Background(), &fsm.SyncedCommand{First: 1, Last: 1})
		if !errors.Is(err, cluster.ErrNotLeader) {
			t.Errorf("a late duty's proposal: err = %v, want ErrNotLeader", err)
		}
		r, err := second.lead.Propose(context.Background(), &fsm.SyncedCommand{First: 1, Last: 1})
		if err != nil || r.Outcomes[0].Code != fsm.BadRange {
			t.Errorf("the leader's duty got %+v (%v), want BadRange", r, err)
		}
	})
}

func TestACleanStopHandsTheLeadOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		lead := s.Leader()
		start := time.Now()
		lead.Stop()
		elected(s, lead)
		if took := time.Since(start); took > 250*time.Millisecond {
			t.Errorf("the next leader took %s: the election was waited for", took)
		}
		lead.Start(3)
		s.Leader()
	})
}

func TestHistoryIsByTimeAndPaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 1, nil)
		m := s.Nodes[0]
		for i := range 50 {
			micros := int64((i*37)%50) * 1e6 // out of order
			m.MustPropose(clustertest.Reading(t, "pump-7", "temperature", micros, float64(micros)/1e6))
			if i == 20 || i == 35 {
				m.MustPropose(&fsm.CutCommand{})
			}
		}
		view, err := m.View(context.Background(), cluster.Linearizable)
		if err != nil {
			t.Fatal(err)
		}
		q := cluster.Query{Device: "pump-7", Resource: "temperature", From: 5e6, To: 45e6, Limit: 7}
		want := int64(5e6)
		for pages := 1; ; pages++ {
			page, err := view.Range(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Readings {
				if r.Time != want {
					t.Fatalf("time %d, want %d", r.Time, want)
				}
				want += 1e6
			}
			if page.Next == "" {
				if pages != 6 {
					t.Errorf("%d pages, want 6", pages)
				}
				break
			}
			q.Cursor = page.Next
		}
		if want != 45e6 {
			t.Errorf("history ends before %d, want 45000000", want)
		}
		none, err := view.Range(context.Background(), cluster.Query{Device: "x", Resource: "y", To: math.MaxInt64, Limit: 1})
		if err != nil || len(none.Readings) != 0 {
			t.Errorf("an unknown series has %d readings (%v)", len(none.Readings), err)
		}
	})
}

func TestANodeLeavesForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		gone := s.Leader()
		if err := gone.Leave(context.Background()); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute) // it need not be stopped at once
		if err := gone.FailedNow(); err != nil {
			t.Errorf("a node that left ended with %v", err)
		}
		gone.Stop()
		s.Wait("two members", func() bool { return len(elected(s, gone).Members()) == 2 })
		post(t, s, 0, 1)
		wantCount(t, s, 1)
	})
}

func TestANodeThatTheSiteNeedsMayNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		down := s.Followers()[0]
		down.Stop()
		for _, m := range s.Up() {
			if err := m.Leave(context.Background()); !errors.Is(err, cluster.ErrNoMajority) {
				t.Errorf("%s leaves with err = %v, want ErrNoMajority", m.Name, err)
			}
		}
		down.Start(3)
		s.Leader()
		post(t, s, 0, 1)
		wantCount(t, s, 1)
	})
}
