package camera_test

import (
	"math/rand/v2"
	"testing"

	"skerry/device/camera"
)

// room draws luma pictures of 120 x 96 cells: a dark and a bright half under a
// light, noise, and a bright box of 12 x 20 cells at box where that is 0 or more.
type room struct {
	rand         *rand.Rand
	gain, offset float32
	box          int
}

func newRoom(seed uint64) *room {
	return &room{rand: rand.New(rand.NewPCG(seed, 2)), gain: 1, box: -1}
}

func (r *room) picture() *camera.Luma {
	l := &camera.Luma{Width: 120, Height: 96, Cells: make([]float32, 120*96)}
	for i := range l.Cells {
		x, y := i%120, i/120
		v := float32(60)
		if x >= 60 {
			v = 140
		}
		if r.box >= 0 && x >= r.box && x < r.box+12 && y >= 40 && y < 60 {
			v = 220
		}
		l.Cells[i] = min(max(r.gain*v+r.offset+float32(r.rand.NormFloat64()), 0), 255)
	}
	return l
}

// look shows a detector n pictures and returns how many had motion, and how
// many recalibrated it.
func (r *room) look(d *camera.Detector, n int) (moving, recalibrated int) {
	for range n {
		m := d.Look(r.picture())
		if m.Moving {
			moving++
		}
		if m.Recalibrated {
			recalibrated++
		}
	}
	return moving, recalibrated
}

func TestLightThatChangesAsAWholeIsNotMotion(t *testing.T) {
	for _, c := range []struct {
		name         string
		gain, offset float32
	}{
		{"a lamp is switched on", 1, 40},
		{"a lamp is switched off", 1, -40},
		{"the camera opens its aperture", 1.4, 0},
		{"the camera closes its aperture", 0.5, 5},
		{"the picture is over-exposed", 2.5, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, d := newRoom(1), new(camera.Detector)
			r.look(d, 40)
			r.gain, r.offset = c.gain, c.offset
			moving, recalibrated := r.look(d, 40)
			if moving != 0 || recalibrated == 0 || recalibrated > 3 {
				t.Errorf("got %d pictures with motion and %d that recalibrate, want 0 and 1 to 3", moving, recalibrated)
			}
			r.box = 20
			seen := 0
			for range 10 {
				r.box += 2
				n, _ := r.look(d, 1)
				seen += n
			}
			if seen < 8 {
				t.Errorf("got motion in %d of 10 pictures under the new light, want at least 8", seen)
			}
		})
	}
}

func TestAThingLeftBehindIsNotMotionForLong(t *testing.T) {
	r, d := newRoom(2), new(camera.Detector)
	r.look(d, 40)
	r.box = 30
	if moving, _ := r.look(d, 100); moving < 1 || moving > 10 {
		t.Errorf("got %d pictures with motion after a thing appeared, want 1 to 10", moving)
	}
	r.box = -1 // and is taken away again
	if moving, _ := r.look(d, 100); moving < 1 || moving > 10 {
		t.Errorf("got %d pictures with motion after it was gone, want 1 to 10", moving)
	}
}

func TestAnotherSceneStartsOver(t *testing.T) {
	r, d := newRoom(3), new(camera.Detector)
	r.look(d, 40)
	other := &camera.Luma{Width: 120, Height: 96, Cells: make([]float32, 120*96)}
	for i := range other.Cells {
		other.Cells[i] = float32(r.rand.IntN(256)) // the camera was turned
	}
	if m := d.Look(other); m.Moving || !m.Recalibrated {
		t.Errorf("got %+v, want a new start", m)
	}
	if m := d.Look(other); m.Moving {
		t.Errorf("got motion in a scene just learnt")
	}
}
