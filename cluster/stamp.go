package cluster

import (
	"sync"
	"time"
)

const (
	// jumpAbove is by how much a wall clock may run ahead of the monotonic one,
	// from one look to the next, before that is a jump.
	jumpAbove = 2 * time.Second
	// jumpLasts is how long a wall clock must stay where it jumped to before
	// stamps follow it there. It bounds the cuts that a clock can make which
	// jumps to and fro over midnight: one in that time.
	jumpLasts = 10 * time.Second
)

// stampClock makes of the leader's wall clock what entries are stamped with,
// Received. Between two looks it goes on as the monotonic clock does. It follows
// small steps forward at once; steps back and jumps once the wall clock has
// stayed there for jumpLasts; a clock that did not know the time and is set, at
// once. So stamps go back only after a step that lasted.
type stampClock struct {
	mu    sync.Mutex
	wall  time.Time // the wall clock when
	start time.Time // the monotonic clock said this
	ahead time.Duration
	// elsewhere is how far ahead the wall clock is, about, since a moment, while
	// it is not followed; since is zero while it is.
	elsewhere time.Duration
	since     time.Time
}

// stamp is what to stamp an entry with, when the wall clock says wall and the
// monotonic clock now.
func (c *stampClock) stamp(wall, now time.Time) time.Time {
	wall = wall.Round(0) // what shows a step is left: without the monotonic reading
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.start.IsZero() {
		c.wall, c.start = wall, now
	}
	gone := now.Sub(c.start)
	ahead := wall.Sub(c.wall) - gone
	step := ahead - c.ahead
	switch small := step >= 0 && step < jumpAbove; {
	case small, clockUnknown(c.wall.Add(gone+c.ahead)) && !clockUnknown(wall):
		c.follow(ahead)
	case c.since.IsZero() || (ahead-c.elsewhere).Abs() >= jumpAbove:
		c.elsewhere, c.since = ahead, now
	case now.Sub(c.since) >= jumpLasts:
		c.follow(ahead)
	}
	return c.wall.Add(gone + c.ahead)
}

func (c *stampClock) follow(ahead time.Duration) { c.ahead, c.since = ahead, time.Time{} }
