package cluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"skerry/fsm"
)

// Ages are of the site's own clock: neither a leader whose clock jumps and that
// hands the lead on, nor a site whose clocks all jump, so that stamps follow,
// makes anything older than it is, or younger.
func TestAClockThatJumpsTenYearsAheadAndBackDropsNothingEarly(t *testing.T) {
	const age = 20 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		s := knowing(t, 3)
		atLevel(s, fsm.NewestLevel)
		l := newLedger(t, s)
		began := time.Now()
		shelves(t, s, l, 3)
		marked(t, s, 20) // the rest would go with a gap
		keep(s, fsm.Retention{Readings: fsm.Keep{Age: age.Microseconds()}, Unshipped: true})
		whole := func(when string) {
			t.Helper()
			s.Agree()
			for _, m := range s.Up() {
				if st := m.Status(); st.RetainedFrom != 1 || st.Gaps != 0 {
					t.Errorf("%s %s retains from %d with %d gaps, want all", when, m.Name, st.RetainedFrom, st.Gaps)
				}
			}
		}
		for range 2 {
			lead := s.Leader()
			lead.StepClock(10 * years)
			shelves(t, s, l, 1)
			another(s, lead)
			whole("after a leader's jump ahead and a hand-over")
			lead.StepClock(-10 * years)
			shelves(t, s, l, 1)
			whole("after the jump back")
		}
		for _, by := range []time.Duration{10 * years, -10 * years} {
			step(s, by)
			shelves(t, s, l, 2)
			lead := s.Leader()
			if at, _ := lead.Received(); at.Year() > 2030 != (by > 0) {
				t.Errorf("stamps say %s after a jump by %s: they did not follow", at.UTC(), by)
			}
			whole("after a jump of all")
			lead.Stop()
			another(s, lead)
			lead.Start(3)
			whole("after another leader came")
		}
		<-time.After(time.Until(began.Add(age - 5*time.Second)))
		whole("just before it is of age")
		// Log time stands still from a leader's last entry until the next leads.
		const late = 4*time.Minute + 30*time.Second // four changes, each at most a minute after an entry
		for s.Leader().Status().RetainedFrom == 1 && time.Since(began) < age+late {
			<-time.After(time.Second)
		}
		s.Agree()
		if from := s.Leader().Status().RetainedFrom; from != 11 {
			t.Errorf("retained from %d after %s, want 11: the second cut is a minute younger", from, time.Since(began))
		}
	})
}
