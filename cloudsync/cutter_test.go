package cloudsync_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cloudsync"
	"skerry/fsm"
)

// cutting runs a cutter's duty with default ages until stop is called.
func cutting(s *site) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c := cloudsync.NewCutter(cloudsync.DefaultAges(), node{s, "n1"}, slog.New(slog.DiscardHandler))
	go func() {
		defer close(done)
		c.Lead(ctx, lead{s, s.term})
	}()
	return func() {
		cancel()
		<-done
	}
}

// cutsAfter is how many cuts of a stream there are after d.
func cutsAfter(s *site, d time.Duration, stream fsm.Stream) int {
	time.Sleep(d)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cuts[stream])
}

func TestCutterClosesByAge(t *testing.T) {
	for _, c := range []struct {
		name     string
		post     func(s *site)
		stream   fsm.Stream
		not, yet time.Duration // open after not, closed after yet more
	}{
		{"few rows wait a quarter of an hour", func(s *site) { s.post(9999) }, fsm.Readings, 14*time.Minute + 50*time.Second, 15 * time.Second},
		{"many rows wait a minute", func(s *site) { s.post(10_000) }, fsm.Readings, 55 * time.Second, 10 * time.Second},
		{"frames wait a quarter of an hour", func(s *site) { s.snap(1) }, fsm.Frames, 14*time.Minute + 50*time.Second, 15 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				defer cutting(s)()
				if n := cutsAfter(s, time.Hour, c.stream); n != 0 {
					t.Errorf("%d cuts of nothing", n)
				}
				c.post(s)
				if n := cutsAfter(s, c.not, c.stream); n != 0 {
					t.Errorf("%d cuts after %s, want none", n, c.not)
				}
				if n := cutsAfter(s, c.yet, c.stream); n != 1 {
					t.Errorf("%d cuts after %s, want 1", n, c.not+c.yet)
				}
				if n := cutsAfter(s, time.Hour, c.stream); n != 1 {
					t.Errorf("%d cuts an hour later, want still 1", n)
				}
			})
		})
	}
}

func TestCutterCountsAgeFromTheFirstOpenRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer cutting(s)()
		time.Sleep(time.Second) // the cutter has looked once
		for range 14 {
			s.post(1)
			time.Sleep(time.Minute)
		}
		if n := cutsAfter(s, 2*time.Minute, fsm.Readings); n != 1 {
			t.Errorf("%d cuts, want 1: the first row is older than a quarter of an hour", n)
		}
	})
}

func TestCutterOfANewLeaderKnowsOldRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.post(10)
		// The rows were received 14 minutes ago, by this clock.
		for i := range s.readings {
			s.readings[i].Received = time.Now().Add(-14 * time.Minute).UnixMicro()
		}
		defer cutting(s)()
		if n := cutsAfter(s, 50*time.Second, fsm.Readings); n != 0 {
			t.Errorf("%d cuts before the age is reached", n)
		}
		if n := cutsAfter(s, 15*time.Second, fsm.Readings); n != 1 {
			t.Errorf("%d cuts, want 1", n)
		}
	})
}

func TestCutterOutlivesAClockThatJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.post(10)
		for i := range s.readings {
			s.readings[i].Received = time.Now().Add(365 * 24 * time.Hour).UnixMicro()
		}
		defer cutting(s)()
		if n := cutsAfter(s, 15*time.Minute+10*time.Second, fsm.Readings); n != 1 {
			t.Errorf("%d cuts, want 1 although the rows say they come from next year", n)
		}
	})
}

func TestCutterOutlivesAClockThatIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer cutting(s)()
		time.Sleep(2 * time.Second) // the cutter has looked
		s.post(10)
		s.mu.Lock()
		for i := range s.readings {
			s.readings[i].Received = 0 // the leader's clock says 1970
		}
		s.mu.Unlock()
		if n := cutsAfter(s, 14*time.Minute, fsm.Readings); n != 0 {
			t.Errorf("%d cuts, want none: the rows came 14 minutes ago", n)
		}
	})
}
