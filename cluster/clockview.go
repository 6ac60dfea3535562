package cluster

import (
	"sync"
	"time"
)

// clockView is what this node knows of its own wall clock against those of the
// voters: from its own survey while it leads, from the leader's else.
type clockView struct {
	mu     sync.Mutex
	off    time.Duration // from the median of the voters
	at     time.Time     // when that was so; zero for never
	handed time.Time     // when it tried to hand the lead on
}

// set notes how far off the clock is and reports whether it was far off at the
// last look too.
func (c *clockView) set(off time.Duration) (again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	again = c.off.Abs() > clockOff && time.Since(c.at) < surveyFresh
	c.off, c.at = off, time.Now()
	return again
}

func (c *clockView) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off, c.at = 0, time.Time{}
}

func (c *clockView) get() (off time.Duration, far, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off, c.off.Abs() > clockOff, !c.at.IsZero() && time.Since(c.at) < surveyFresh
}

// mayHand reports, at most once in handAgain, that the lead may be handed on.
func (c *clockView) mayHand() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.handed.IsZero() && time.Since(c.handed) < handAgain {
		return false
	}
	c.handed = time.Now()
	return true
}
