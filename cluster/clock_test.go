package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster"
	"skerry/fsm"
	"skerry/internal/clustertest"
)

const (
	years = 365 * 24 * time.Hour
	// today is what the clocks of a bubble of synctest, which begins in 2000,
	// are behind a day that a gateway may have.
	today = 27 * years
)

// knowing is a site of n nodes whose clocks are set.
func knowing(tb testing.TB, n int) *clustertest.Site {
	tb.Helper()
	s := clustertest.Open(tb, n, nil)
	step(s, today)
	return s
}

// step moves the clocks of all members.
func step(s *clustertest.Site, by time.Duration) {
	for _, m := range s.Nodes {
		m.StepClock(by)
	}
}

// another waits until a member that is not was leads, and returns it.
func another(s *clustertest.Site, was *clustertest.Member) *clustertest.Member {
	lead := was
	s.Wait("another leader than "+was.Name, func() bool { lead = s.Leader(); return lead != was })
	return lead
}

func TestALeaderWithAWrongClockHandsTheLeadOn(t *testing.T) {
	for name, off := range map[string]time.Duration{
		"three minutes ahead": 192 * time.Second, "three minutes behind": -192 * time.Second,
		"ten years ahead": 10 * years, "1970": -57 * years,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := knowing(t, 3)
				s.Leader().MustPropose(clustertest.Reading(t, "d", "r", 1, 1))
				was := s.Leader()
				was.StepClock(off)
				lead := another(s, was)
				if got := lead.Status().Clock; got != "ok" {
					t.Errorf("the clock of %s, which leads now, is %q", lead.Name, got)
				}
				want := map[time.Duration]string{192 * time.Second: "off by 3m12s", 10 * years: "off by 3650 days", -57 * years: "unknown"}
				want[-192*time.Second] = want[192*time.Second]
				s.Wait("word of the wrong clock at its node", func() bool { return was.Status().Clock == want[off] })
				<-time.After(10 * time.Minute)
				if got := s.Leader(); got != lead {
					t.Errorf("%s leads after ten minutes, want %s still", got.Name, lead.Name)
				}
			})
		})
	}
}

func TestTheLeadGoesToAVoterWhoseClockIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := knowing(t, 5)
		lead := s.Leader()
		term := lead.Status().Term
		wrong := s.Followers()[0]
		lead.StepClock(10 * time.Minute)
		wrong.StepClock(45 * time.Second) // too much to be given the lead, too little to give it away
		if got := another(s, lead); got == wrong || got.Status().Term != term+1 {
			t.Errorf("%s leads in term %d, want one of those with a right clock in %d", got.Name, got.Status().Term, term+1)
		}
	})
}

func TestALeaderKeepsTheLeadWhereNoMajoritySaysItIsWrong(t *testing.T) {
	for name, clocks := range map[string][]time.Duration{
		"all are a minute apart":         {0, 50 * time.Second, -50 * time.Second},
		"another one is wrong":           {0, time.Hour, 0},
		"it alone knows the time":        {0, -57 * years, -57 * years},
		"of two voters one is wrong":     {0, time.Hour},
		"none knows the time":            {-57 * years, -57 * years, -57 * years},
		"all jumped, as by a bad server": {10 * years, 10 * years, 10 * years},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := knowing(t, len(clocks))
				lead := s.Leader()
				lead.StepClock(clocks[0])
				for i, m := range s.Followers() {
					m.StepClock(clocks[i+1])
				}
				<-time.After(10 * time.Minute)
				if got := s.Leader(); got != lead {
					t.Errorf("%s leads, want %s still", got.Name, lead.Name)
				}
			})
		})
	}
}

// The lead does not wander: a clock that drifts gives it away once.
func TestADriftingNodeGivesTheLeadAwayOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := knowing(t, 3)
		drifts := s.Leader()
		for i := range 600 {
			drifts.StepClock(500 * time.Millisecond)
			<-time.After(time.Second)
			if off := time.Duration(i) * time.Second / 2; off < 55*time.Second && s.Leader() != drifts {
				t.Fatalf("the lead went on when the clock was off by %s", off)
			}
		}
		lead := s.Leader()
		if lead == drifts {
			t.Fatalf("%s leads with a clock that is off by five minutes", drifts.Name)
		}
		term := lead.Status().Term
		<-time.After(10 * time.Minute)
		if got := s.Leader().Status().Term; got != term {
			t.Errorf("the term is %d ten minutes later, want %d still", got, term)
		}
	})
}

// A site boots without the time, and gets it from one node's receiver.
func TestASiteThatKnowsNoTimeSaysSoAndMarksItsStamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := clustertest.Open(t, 3, nil)
		atLevel(s, fsm.NewestLevel)    // after which nothing is stored
		step(s, -30*years)             // 1970
		<-time.After(15 * time.Second) // long enough for stamps to follow
		lead := s.Leader()
		lead.MustPropose(clustertest.Reading(t, "d", "r", 1, 1))
		if at, known := lead.Received(); known || at.Year() != 1970 {
			t.Errorf("a reading is stamped with %s, known %v; want one of 1970 that is marked", at, known)
		}
		if got := lead.Status().Clock; got != "unknown" {
			t.Errorf("clock: %s, want unknown", got)
		}
		has := s.Followers()[0]
		has.StepClock(30*years + today)
		if got := another(s, lead); got != has {
			t.Errorf("%s leads, want %s, which knows the time", got.Name, has.Name)
		}
		has.MustPropose(clustertest.Reading(t, "d", "r", 1, 1))
		if at, known := has.Received(); !known || at.Year() != 2026 {
			t.Errorf("a reading is stamped with %s, known %v; want the year 2026, known", at, known)
		}
	})
}

// Log time alone drives leases and the window, and no wall clock moves it.
func TestJumpsOfTenYearsMoveNeitherLogTimeNorWhatHangsOnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := knowing(t, 3)
		s.Agree()
		a := s.Nodes[0]
		first := clustertest.Reading(t, "d", "r", 1, 1)
		a.MustPropose(first)
		began, base := time.Now(), local(t, a).LogTime()
		a.MustPropose(fsm.LeaseCommand{Name: "address", Holder: "n1", Duration: (200 * time.Second).Microseconds()})
		for i, by := range []time.Duration{10 * years, -20 * years, 10 * years, 24 * time.Hour, -24 * time.Hour} {
			step(s, by)
			<-time.After(15 * time.Second) // long enough for stamps to follow
			seq := a.MustPropose(clustertest.Reading(t, "d", "r", int64(100-i), 1)).Outcomes[0].First
			if want := fsm.Seq(i + 2); seq != want {
				t.Errorf("after a jump by %s the reading is %d, want %d", by, seq, want)
			}
			lt, gone := local(t, a).LogTime()-base, time.Since(began).Microseconds()
			if diff := int64(lt) - gone; diff < -1000 || diff > 1000 {
				t.Errorf("after a jump by %s log time moved by %d us in %d us", by, lt, gone)
			}
			if again := a.MustPropose(first).Outcomes[0]; !again.Known || again.First != 1 {
				t.Errorf("after a jump by %s a message sent again is %+v, want the first answer", by, again)
			}
			r, err := s.Nodes[1].Propose(t.Context(), fsm.LeaseCommand{Name: "address", Holder: "n2", Duration: 1e6})
			if err != nil || r.Outcomes[0].Code != fsm.Held {
				t.Errorf("after a jump by %s a held lease is given to another: %+v, %v", by, r, err)
			}
		}
	})
}

func TestAClockThatJumpsToAndFroOverMidnightMakesFewCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := knowing(t, 3)
		lead := s.Leader()
		before := lead.Status().Cuts
		const times = 300
		began := time.Now()
		for i := range times {
			step(s, []time.Duration{24 * time.Hour, -24 * time.Hour}[i%2])
			lead.MustPropose(clustertest.Reading(t, "d", "r", 1, float64(i)))
			<-time.After(time.Duration(i/10) * 100 * time.Millisecond)
		}
		most := uint64(time.Since(began)/(10*time.Second)) + 1
		if got := lead.Status().Cuts - before; got > most {
			t.Errorf("%d jumps over midnight in %s made %d cuts, want at most %d", times, time.Since(began), got, most)
		}
	})
}

func TestStampsFollowAWallClock(t *testing.T) {
	begin := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name  string
		begin time.Time
		at    map[time.Duration]time.Duration // wall clock ahead of what went by, from then on
		want  map[time.Duration]time.Duration // the stamp, ahead of what went by
	}{
		{"one that is right", begin, nil, map[time.Duration]time.Duration{time.Second: 0, time.Hour: 0}},
		{"a small step forward at once", begin, map[time.Duration]time.Duration{5 * time.Second: time.Second},
			map[time.Duration]time.Duration{4 * time.Second: 0, 5 * time.Second: time.Second}},
		{"a small step back when it lasted", begin, map[time.Duration]time.Duration{5 * time.Second: -time.Second},
			map[time.Duration]time.Duration{14 * time.Second: 0, 15 * time.Second: -time.Second}},
		{"a jump when it lasted", begin, map[time.Duration]time.Duration{5 * time.Second: 10 * years},
			map[time.Duration]time.Duration{14 * time.Second: 0, 15 * time.Second: 10 * years}},
		{"not a jump that is taken back", begin, map[time.Duration]time.Duration{5 * time.Second: years, 14 * time.Second: 0},
			map[time.Duration]time.Duration{14 * time.Second: 0, 30 * time.Second: 0}},
		{"not a jump that goes on to another", begin, map[time.Duration]time.Duration{5 * time.Second: years, 14 * time.Second: -years},
			map[time.Duration]time.Duration{20 * time.Second: 0, 24 * time.Second: -years}},
		{"one that is set for the first time at once", time.Unix(20, 0), map[time.Duration]time.Duration{5 * time.Second: 56 * years},
			map[time.Duration]time.Duration{4 * time.Second: 0, 5 * time.Second: 56 * years}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var clock cluster.StampClock
			start, ahead := time.Now(), time.Duration(0)
			for gone := time.Duration(0); gone <= time.Hour; gone += time.Second {
				if a, ok := c.at[gone]; ok {
					ahead = a
				}
				got := clock.Stamp(c.begin.Add(gone+ahead), start.Add(gone))
				if want, ok := c.want[gone]; ok && !got.Equal(c.begin.Add(gone+want)) {
					t.Errorf("after %s the stamp is %s, want %s", gone, got.UTC(), c.begin.Add(gone+want).UTC())
				}
			}
		})
	}
}

func TestTheMedianOfClocks(t *testing.T) {
	for _, c := range []struct {
		own   time.Duration
		ahead []time.Duration
		want  time.Duration
		ok    bool
	}{
		{0, nil, 0, false},
		{0, []time.Duration{0}, 0, true},
		{0, []time.Duration{0, 5, 7}, -5, true},
		{9, []time.Duration{9, 5, 7}, 2, true},
		{0, []time.Duration{0, 100}, 0, true},
		{100, []time.Duration{0, 100}, 0, true},
		{-7, []time.Duration{3}, -10, true},
		{0, []time.Duration{0, 10, 10, 12}, -10, true},
	} {
		if got, ok := cluster.OffFromMedian(c.own, c.ahead); got != c.want || ok != c.ok {
			t.Errorf("%d among %v is off by %d (%v), want %d (%v)", c.own, c.ahead, got, ok, c.want, c.ok)
		}
	}
}

// A device without a clock posts without a time, or with one that is relative.
func TestADeviceWithoutAClockGetsTheTimeOfTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := knowing(t, 3)
		lead := s.Leader()
		b := clustertest.Reading(t, "d", "r", -5e6, 1)
		b.Items[0].Records[0].Relative = true
		lead.MustPropose(b)
		view, err := lead.View(t.Context(), cluster.Local)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := view.Latest("d", "r")
		at, _ := lead.Received()
		if want := at.UnixMicro() - 5e6; !ok || r.Time < want-1e5 || r.Time > want {
			t.Errorf("its time is %d, want about %d", r.Time, want)
		}
	})
}

func TestOnASilentSiteWhatHasATimeToEndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := knowing(t, 3)
		atLevel(s, fsm.NewestLevel)
		m := s.Nodes[0]
		m.MustPropose(fsm.RegisterCommand{ID: "1", Endpoint: "node1", Base: "coap://node1", Links: "</t>", Lifetime: 90})
		m.MustPropose(fsm.PutDeviceCommand{Name: "pump", Create: true})
		m.MustPropose(fsm.AddKeyCommand{Device: "pump", Identity: "pump.1", Secret: []byte("secret one")})
		m.MustPropose(fsm.AddKeyCommand{Device: "pump", Identity: "pump.2", Secret: []byte("secret two"), Overlap: (90 * time.Second).Microseconds()})
		entries := m.Status().AppliedIndex
		<-time.After(80 * time.Second)
		if len(local(t, m).Registrations()) != 1 {
			t.Error("the registration ended before its time")
		}
		<-time.After(80 * time.Second)
		s.Agree()
		for _, m := range s.Nodes {
			if got := local(t, m).Registrations(); len(got) != 0 {
				t.Errorf("%s has %v 70 s after its time", m.Name, got)
			}
			if _, _, ok := local(t, m).Identity("pump.1"); ok {
				t.Errorf("%s lets a key in 70 s after its time", m.Name)
			}
		}
		<-time.After(time.Hour)
		if got := m.Status().AppliedIndex - entries; got > 3 {
			t.Errorf("%d entries were made of it, want at most 3", got)
		}
	})
}
