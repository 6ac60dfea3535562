package camera_test

import (
	"testing"
	"time"

	"skerry/device/camera"
)

// observe shows a tracker one frame each 200 ms: '.' without motion, a digit
// with that area, '-' no frame at all. It returns the events, the open one too.
func observe(frames string) []camera.Event {
	var tr camera.Tracker
	var events []camera.Event
	at := time.Unix(1_790_000_000, 0)
	keep := func(e camera.Event, ok bool) {
		if ok {
			events = append(events, e)
		}
	}
	for i, c := range []byte(frames) {
		f := camera.Frame{Time: at.Add(time.Duration(i) * 200 * time.Millisecond), Width: i}
		switch c {
		case '-':
		case '.':
			keep(tr.Observe(f, camera.Motion{}))
		default:
			keep(tr.Observe(f, camera.Motion{Moving: true, Area: float64(c - '0')}))
		}
	}
	keep(tr.Close())
	return events
}

func TestFramesWithMotionBecomeEvents(t *testing.T) {
	type event struct{ key, first, last, frames int }
	for _, c := range []struct {
		name   string
		frames string
		want   []event
	}{
		{"nothing moves", "..........", nil},
		{"one frame is a glitch", ".....5...............", nil},
		{"the key frame has the largest area", "...12321..............", []event{{5, 3, 7, 5}}},
		{"the first of two equal areas is the key frame", "..3.3................", []event{{2, 2, 4, 2}}},
		{"a short rest does not end an event", "..11........1........", []event{{2, 2, 12, 3}}},
		{"two seconds of rest do", "..11..........12.....", []event{{2, 2, 3, 2}, {15, 14, 15, 2}}},
		{"a gap in the stream does", "..11-----------21....", []event{{2, 2, 3, 2}, {15, 15, 16, 2}}},
		{"the end of the stream does", "....23", []event{{5, 4, 5, 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := observe(c.frames)
			if len(got) != len(c.want) {
				t.Fatalf("got %d events, want %d: %+v", len(got), len(c.want), got)
			}
			for i, e := range got {
				index := func(at time.Time) int { return int(at.Sub(time.Unix(1_790_000_000, 0)) / (200 * time.Millisecond)) }
				if g := (event{e.Key.Width, index(e.Start), index(e.End), e.Frames}); g != c.want[i] {
					t.Errorf("event %d: got %+v, want %+v", i, g, c.want[i])
				}
			}
		})
	}
}

func TestMotionThatLastsGivesOneEventAfterTheOther(t *testing.T) {
	frames := make([]byte, 5*60) // a minute
	for i := range frames {
		frames[i] = '1'
	}
	events := observe(string(frames))
	if len(events) < 7 || len(events) > 8 {
		t.Errorf("got %d events of a minute's motion, want one each %s", len(events), camera.Longest)
	}
	for _, e := range events {
		if e.End.Sub(e.Start) > camera.Longest {
			t.Errorf("got an event of %s", e.End.Sub(e.Start))
		}
	}
}

func TestAClockThatStepsBackEndsAnEvent(t *testing.T) {
	var tr camera.Tracker
	at := time.Unix(1_790_000_000, 0)
	moving := camera.Motion{Moving: true, Area: 1}
	for i := range 3 {
		tr.Observe(camera.Frame{Time: at.Add(time.Duration(i) * time.Second)}, moving)
	}
	if e, ok := tr.Observe(camera.Frame{Time: at.Add(-time.Hour)}, moving); !ok || e.Frames != 3 {
		t.Errorf("got event %t of %d frames, want one of 3", ok, e.Frames)
	}
}

func TestAnOpenEventIsIdleAfterAWhile(t *testing.T) {
	var tr camera.Tracker
	at := time.Unix(1_790_000_000, 0)
	if tr.Idle(at) {
		t.Error("got idle without an event")
	}
	tr.Observe(camera.Frame{Time: at}, camera.Motion{Moving: true, Area: 1})
	if tr.Idle(at.Add(camera.Quiet - 1)) {
		t.Error("got idle too soon")
	}
	if !tr.Idle(at.Add(camera.Quiet)) {
		t.Error("got no idle event after its time")
	}
}
