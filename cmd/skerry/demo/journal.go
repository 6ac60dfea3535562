package demo

import (
	"slices"
	"sync"
	"time"
)

// keptEvents is how many of the last events the screen shows.
const keptEvents = 6

// event is something worth telling, and when it was.
type event struct {
	at   time.Time
	text string
}

// journal keeps the last events and hands each to a listener.
type journal struct {
	listen func(event) // may be nil; called by whoever adds

	mu   sync.Mutex
	last []event // at most keptEvents, oldest first
}

func (j *journal) add(text string) {
	e := event{time.Now(), text}
	j.mu.Lock()
	j.last = append(j.last, e)
	if len(j.last) > keptEvents {
		j.last = slices.Delete(j.last, 0, 1)
	}
	j.mu.Unlock()
	if j.listen != nil {
		j.listen(e)
	}
}

// events are the last ones, oldest first.
func (j *journal) events() []event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.last)
}
