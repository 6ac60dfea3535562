package camera

import (
	"sync"
	"sync/atomic"
)

// Stats are what a camera has done since it started.
type Stats struct {
	Connected  bool   `json:"connected"`
	LastError  string `json:"last_error,omitempty"` // why the stream last ended
	Connects   uint64 `json:"connects"`
	Frames     uint64 `json:"frames"`     // looked at
	Replaced   uint64 `json:"replaced"`   // skipped for a newer one
	TooLarge   uint64 `json:"too_large"`  // skipped: bytes or pixels over the limit
	Broken     uint64 `json:"broken"`     // skipped: not a whole JPEG
	Events     uint64 `json:"events"`     // found
	Stored     uint64 `json:"stored"`     // committed with frame and reading
	Dropped    uint64 `json:"dropped"`    // for a newer one while the site took none
	Refused    uint64 `json:"refused"`    // by the site, for good
	Unresolved uint64 `json:"unresolved"` // maybe stored: the site's answer came too late
}

// status gathers Stats. It may be used by many goroutines.
type status struct {
	connects, frames, replaced, tooLarge, broken atomic.Uint64
	events, stored, dropped, refused, unresolved atomic.Uint64

	mu        sync.Mutex
	up        bool
	lastError string
}

func (s *status) connected() {
	s.connects.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = true
}

func (s *status) disconnected(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = false
	s.lastError = err.Error()
}

func (s *status) stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Connected: s.up, LastError: s.lastError, Connects: s.connects.Load(),
		Frames: s.frames.Load(), Replaced: s.replaced.Load(), TooLarge: s.tooLarge.Load(), Broken: s.broken.Load(),
		Events: s.events.Load(), Stored: s.stored.Load(), Dropped: s.dropped.Load(),
		Refused: s.refused.Load(), Unresolved: s.unresolved.Load(),
	}
}
