package camera

import "time"

const (
	// Quiet is how long nothing may move before an event is over.
	Quiet = 2 * time.Second
	// Longest is how long an event goes on before it is given out. Motion that
	// lasts gives one event after the other, so that the first is stored soon.
	Longest = 8 * time.Second
	// minHits is the number of frames with motion that make an event: one frame
	// alone is a glitch of the camera.
	minHits = 2
)

// Event is a time in which something moved.
type Event struct {
	Key    Frame     // the frame with the largest moving area
	Area   float64   // that area, percent of the picture
	Start  time.Time // of the first frame with motion
	End    time.Time // of the last
	Frames int       // frames with motion
}

// Tracker makes events of what a detector found in one frame after the other.
type Tracker struct {
	open Event // Frames is 0 when no event is open
}

// Observe takes the next frame and returns an event if one is over. The event
// that goes on may be the next one. A clock that stepped back ends an event.
func (t *Tracker) Observe(f Frame, m Motion) (Event, bool) {
	var done Event
	over := false
	if t.open.Frames > 0 && (t.Idle(f.Time) || f.Time.Before(t.open.End) || f.Time.Sub(t.open.Start) >= Longest) {
		done, over = t.Close()
	}
	if m.Moving {
		t.hit(f, m)
	}
	return done, over
}

// Idle reports whether the open event is over at a time, with no frame since.
func (t *Tracker) Idle(now time.Time) bool {
	return t.open.Frames > 0 && now.Sub(t.open.End) >= Quiet
}

// Close ends the open event and returns it if it was one.
func (t *Tracker) Close() (Event, bool) {
	e := t.open
	t.open = Event{}
	return e, e.Frames >= minHits
}

func (t *Tracker) hit(f Frame, m Motion) {
	if t.open.Frames == 0 {
		t.open = Event{Start: f.Time}
	}
	t.open.Frames++
	t.open.End = f.Time
	if m.Area > t.open.Area {
		t.open.Key, t.open.Area = f, m.Area
	}
}
