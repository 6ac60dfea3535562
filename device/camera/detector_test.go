package camera_test

import (
	"fmt"
	"testing"
	"time"

	"skerry/device/camera"
)

// score counts frames or events against what is known to be true.
type score struct{ hit, wrong, missed int }

func (s score) precision() float64 { return float64(s.hit) / float64(max(1, s.hit+s.wrong)) }
func (s score) recall() float64    { return float64(s.hit) / float64(max(1, s.hit+s.missed)) }

func (s score) String() string {
	return fmt.Sprintf("precision %.3f recall %.3f (%d hit, %d wrong, %d missed)",
		s.precision(), s.recall(), s.hit, s.wrong, s.missed)
}

func (s *score) add(o score) {
	s.hit += o.hit
	s.wrong += o.wrong
	s.missed += o.missed
}

// span is an event, or a time of true motion, in frames.
type span struct{ first, last int }

func overlap(s span, others []span, slack int) bool {
	for _, o := range others {
		if s.first-slack <= o.last && o.first <= s.last+slack {
			return true
		}
	}
	return false
}

// watch runs a pattern through detector and tracker and scores frames and
// events. A frame that only recalibrates counts as one without motion.
func watch(p *camera.Pattern, frames int, fps float64) (byFrame, byEvent score) {
	var d camera.Detector
	var tr camera.Tracker
	var truth, events []span
	start := time.Unix(1_790_000_000, 0)
	at := func(i int) time.Time { return start.Add(time.Duration(float64(i) / fps * float64(time.Second))) }
	index := func(t time.Time) int { return int(t.Sub(start).Seconds()*fps + 0.5) }
	keep := func(e camera.Event, ok bool) {
		if ok {
			events = append(events, span{index(e.Start), index(e.End)})
		}
	}
	for i := range frames {
		img, moving := p.Next()
		m := d.Look(camera.Shrink(img))
		keep(tr.Observe(camera.Frame{Time: at(i)}, m))
		if moving {
			if n := len(truth); n > 0 && truth[n-1].last == i-1 {
				truth[n-1].last = i
			} else {
				truth = append(truth, span{i, i})
			}
		}
		switch {
		case m.Moving && moving:
			byFrame.hit++
		case m.Moving:
			byFrame.wrong++
		case moving:
			byFrame.missed++
		}
	}
	keep(tr.Close())
	for _, s := range truth {
		if overlap(s, events, 0) {
			byEvent.hit++
		} else {
			byEvent.missed++
		}
	}
	for _, e := range events {
		if !overlap(e, truth, 1) {
			byEvent.wrong++
		}
	}
	return byFrame, byEvent
}

func TestMotionIsFoundOnTheTestPattern(t *testing.T) {
	const fps, seconds = 5, 120
	var frames, events score
	for seed := uint64(1); seed <= 8; seed++ {
		f, e := watch(camera.NewPattern(seed, 640, 480, fps, false), fps*seconds, fps)
		t.Logf("seed %d: frames %v; events %v", seed, f, e)
		for what, s := range map[string]score{"frames": f, "events": e} {
			if s.precision() < 0.8 || s.recall() < 0.8 {
				t.Errorf("seed %d: %s %v, want at least 0.8 for each seed", seed, what, s)
			}
		}
		frames.add(f)
		events.add(e)
	}
	for what, s := range map[string]score{"frames": frames, "events": events} {
		t.Logf("all seeds: %s %v", what, s)
		if s.precision() < 0.9 || s.recall() < 0.9 {
			t.Errorf("%s: %v, want at least 0.9", what, s)
		}
	}
}

func TestAStillCameraGivesNoEventInFiveMinutes(t *testing.T) {
	for _, c := range []struct {
		seed uint64
		fps  float64
	}{{1, 5}, {2, 10}, {3, 5}} {
		t.Logf("seed %d, %g frames a second", c.seed, c.fps)
		frames, events := watch(camera.NewPattern(c.seed, 320, 240, c.fps, true), int(300*c.fps), c.fps)
		if frames.wrong != 0 || events.wrong != 0 {
			t.Errorf("seed %d: %d frames and %d events with motion, want none", c.seed, frames.wrong, events.wrong)
		}
	}
}
