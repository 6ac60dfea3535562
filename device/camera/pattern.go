package camera

import (
	"image"
	"math"
	"math/rand/v2"
)

// Pattern draws a seeded scene in which it is known when something moves: a
// still background under sensor noise, light that drifts and jumps, and now and
// then a striped thing that crosses the picture, sometimes pausing on its way.
// The same seed, size and rate draw the same pictures.
type Pattern struct {
	width, height int
	fps           float64
	still         bool
	rand          *rand.Rand
	scene         []uint8 // luma of the background
	noise         []int8  // drawn once; each row of each frame starts somewhere in it
	thing         thing
	gain, offset  float64
	frame         int
	nextJump      int // frame at which the light jumps
}

// thing is what crosses the picture. It is away until frame from, then moves
// from x0, y0 by dx, dy a frame but for the frames [pause, resume).
type thing struct {
	width, height       int
	x0, y0, dx, dy      float64
	from, until         int
	pause, resume       int
	bright, dark, pitch int
}

const (
	patternSigma = 4       // noise, standard deviation in levels
	patternNoise = 1 << 17 // samples of noise
)

// NewPattern makes a pattern. A still one has noise and light but no thing.
func NewPattern(seed uint64, width, height int, fps float64, still bool) *Pattern {
	p := &Pattern{
		width: width, height: height, fps: fps, still: still,
		rand:  rand.New(rand.NewPCG(seed, 0x706174)),
		scene: make([]uint8, width*height),
		noise: make([]int8, patternNoise+width),
		gain:  1,
	}
	for i := range p.noise {
		p.noise[i] = int8(min(max(p.rand.NormFloat64()*patternSigma, -127), 127))
	}
	p.drawScene()
	p.plan(0)
	p.nextJump = p.frames(4, 15)
	return p
}

// Next draws the next picture and tells whether something moves in it: a
// quarter of the thing at least is in sight, and it is not pausing.
func (p *Pattern) Next() (img *image.YCbCr, moving bool) {
	img = image.NewYCbCr(image.Rect(0, 0, p.width, p.height), image.YCbCrSubsampleRatio420)
	copy(img.Y, p.scene)
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	if !p.still {
		moving = p.drawThing(img)
	}
	p.light(img)
	p.frame++
	return img, moving
}

// frames is a random number of frames, from lo to hi seconds.
func (p *Pattern) frames(lo, hi float64) int {
	return int((lo + (hi-lo)*p.rand.Float64()) * p.fps)
}

func (p *Pattern) drawScene() {
	for y := range p.height {
		for x := range p.width {
			p.scene[y*p.width+x] = uint8(70 + 80*x/p.width + 30*y/p.height)
		}
	}
	for range 12 {
		x, y := p.rand.IntN(p.width), p.rand.IntN(p.height)
		w, h := p.width/16+p.rand.IntN(p.width/6), p.height/16+p.rand.IntN(p.height/6)
		v := uint8(40 + p.rand.IntN(160))
		for yy := y; yy < min(y+h, p.height); yy++ {
			for xx := x; xx < min(x+w, p.width); xx++ {
				p.scene[yy*p.width+xx] = v
			}
		}
	}
}

// plan sends the thing across the picture once more, some time after a frame.
func (p *Pattern) plan(after int) {
	t := thing{
		width: p.width/16 + p.rand.IntN(p.width/16), height: p.height/6 + p.rand.IntN(p.height/8),
		from:  after + p.frames(5, 14),
		pitch: 6 + p.rand.IntN(10), bright: 200 + p.rand.IntN(50), dark: 10 + p.rand.IntN(30),
	}
	crossing := max(p.frames(3, 8), 4)
	t.x0, t.y0 = float64(-t.width), float64(p.rand.IntN(p.height-t.height))
	t.dx = float64(p.width+t.width) / float64(crossing)
	if p.rand.IntN(2) == 0 {
		t.x0, t.dx = float64(p.width), -t.dx
	}
	t.dy = (p.rand.Float64() - 0.5) * float64(p.height) / 3 / float64(crossing)
	t.until = t.from + crossing
	if p.rand.IntN(3) == 0 {
		t.pause = t.from + crossing/2
		t.resume = t.pause + p.frames(4, 10)
		t.until += t.resume - t.pause
	}
	p.thing = t
}

// drawThing draws the thing where it is now and reports whether it moves.
func (p *Pattern) drawThing(img *image.YCbCr) bool {
	if p.frame >= p.thing.until {
		p.plan(p.frame)
	}
	t := &p.thing
	if p.frame < t.from {
		return false
	}
	steps := p.frame - t.from
	if p.frame >= t.resume {
		steps -= t.resume - t.pause
	} else if p.frame >= t.pause && t.resume > 0 {
		steps = t.pause - t.from
	}
	x, y := int(t.x0+t.dx*float64(steps)), int(t.y0+t.dy*float64(steps))
	box := image.Rect(x, y, x+t.width, y+t.height).Intersect(img.Rect)
	for yy := box.Min.Y; yy < box.Max.Y; yy++ {
		v := uint8(t.dark)
		if (yy-y)/t.pitch%2 == 0 {
			v = uint8(t.bright)
		}
		for xx := box.Min.X; xx < box.Max.X; xx++ {
			img.Y[yy*img.YStride+xx] = v
		}
	}
	paused := p.frame > t.pause && p.frame < t.resume
	return !paused && 4*box.Dx()*box.Dy() >= t.width*t.height
}

// light puts the picture under the light of the frame and adds noise.
func (p *Pattern) light(img *image.YCbCr) {
	if p.frame >= p.nextJump {
		p.gain, p.offset = 0.75+0.4*p.rand.Float64(), 50*p.rand.Float64()-20
		p.nextJump = p.frame + p.frames(8, 25)
	}
	drift := 3 * math.Sin(float64(p.frame)/p.fps/20)
	var table [256]int
	for v := range table {
		table[v] = int(p.gain*float64(v) + p.offset + drift)
	}
	for y := range p.height {
		row := img.Y[y*img.YStride:][:p.width]
		noise := p.noise[p.rand.IntN(patternNoise):][:p.width]
		for x, v := range row {
			row[x] = uint8(min(max(table[v]+int(noise[x]), 0), 255))
		}
	}
}
