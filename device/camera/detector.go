package camera

import "math"

// The detector's constants, in luma levels (0 to 255) where nothing else is
// said. Rates are per frame and suit 2 to 15 frames a second.
const (
	calibrationFrames = 6     // frames that only teach the background
	settleFrames      = 3     // frames after a brightness jump with doubled thresholds
	minDelta          = 5     // a smaller change is never motion
	cellNoise         = 6     // thresholds in mean deviations of the cell
	frameNoise        = 4.5   // thresholds in standard deviations of the frame
	maxNoise          = 6     // a frame that differs more is another scene, not noisier
	jumpDelta         = 6     // a change of brightness that is not called drift
	flashShare        = 0.6   // of the cells changed: another scene, not motion
	minAreaShare      = 0.001 // of the cells, connected: less is never motion
	minAreaCells      = 6
	aliveShare        = 0.04 // of a region's cells that changed lately, else it is a left thing
	learnStill        = 0.05 // rate at which the background follows where nothing happens
	learnLeft         = 0.10 // where something new stands still
	learnMoving       = 0.005
	learnRecent       = 0.5
)

// Motion is what a detector found in one frame.
type Motion struct {
	Moving bool
	Area   float64 // moving part of the picture, percent
	// Recalibrated is set when the light or the scene changed as a whole: the
	// frame says nothing about motion.
	Recalibrated bool
}

// Detector finds motion in a sequence of luma pictures: regions that differ
// from a running background by more than the noise of their cells, and that
// also changed within the last frames. Light that changes as a whole (a cloud,
// a lamp, the camera's exposure) is fitted as gain and offset and taken over
// into the background. It is a pure function of the pictures.
type Detector struct {
	width, height int
	background    []float32 // what a cell shows when nothing moves there
	noise         []float32 // mean deviation of a cell from its background
	recent        []float32 // what a cell showed in the last few frames
	residual      []float32 // of the frame in hand: cell less background
	changed       []bool    // of the frame in hand
	regions       regions
	calibrating   int // frames left that only teach
	settling      int // frames left with doubled thresholds
}

// Look takes the next picture. A picture of another size starts over.
func (d *Detector) Look(l *Luma) Motion {
	if l.Width != d.width || l.Height != d.height {
		d.start(l)
		return Motion{Recalibrated: true}
	}
	light := fitLight(d.background, l.Cells)
	d.relight(light)
	sigma := d.subtract(l.Cells)
	if d.calibrating > 0 {
		d.calibrating--
		d.teach(l.Cells)
		return Motion{}
	}
	jump := math.Abs(light.at(128)) > jumpDelta
	if jump {
		d.settling = settleFrames
	}
	if share := d.mark(l.Cells, sigma); share > flashShare {
		d.start(l)
		return Motion{Recalibrated: true}
	}
	moving := d.follow(l.Cells)
	if d.settling > 0 {
		d.settling--
	}
	if jump {
		return Motion{Recalibrated: true}
	}
	return Motion{Moving: moving > 0, Area: 100 * float64(moving) / float64(len(l.Cells))}
}

// start forgets everything and takes the picture as the background.
func (d *Detector) start(l *Luma) {
	d.width, d.height = l.Width, l.Height
	d.background = append(d.background[:0], l.Cells...)
	d.recent = append(d.recent[:0], l.Cells...)
	d.noise = make([]float32, len(l.Cells))
	d.residual = make([]float32, len(l.Cells))
	d.changed = make([]bool, len(l.Cells))
	d.regions = newRegions(l.Width, l.Height)
	d.calibrating, d.settling = calibrationFrames, 0
}

// relight puts what is remembered under the light of the frame in hand.
func (d *Detector) relight(l light) {
	for i, v := range d.background {
		d.background[i] = l.apply(v)
		d.recent[i] = l.apply(d.recent[i])
	}
}

// subtract fills the residual and returns the frame's noise as a standard
// deviation, from the median so that moving things do not count.
func (d *Detector) subtract(cells []float32) float32 {
	var h histogram
	for i, v := range cells {
		r := v - d.background[i]
		d.residual[i] = r
		h.add(abs(r))
	}
	return min(1.48*h.median(), maxNoise)
}

// teach lets the background and the noise follow the frame fast.
func (d *Detector) teach(cells []float32) {
	const rate = 1.0 / 3
	for i, r := range d.residual {
		d.background[i] += rate * r
		d.noise[i] += rate * (abs(r) - d.noise[i])
		d.recent[i] = cells[i]
	}
}

// mark finds the cells that differ from the background by more than noise
// explains, and returns their share of all cells.
func (d *Detector) mark(cells []float32, sigma float32) float64 {
	least := max(minDelta, frameNoise*sigma)
	if d.settling > 0 {
		least *= 2
	}
	n := 0
	for i, r := range d.residual {
		d.changed[i] = abs(r) > max(least, cellNoise*d.noise[i])
		if d.changed[i] {
			n++
		}
	}
	return float64(n) / float64(len(cells))
}

// follow sorts the changed cells into moving regions and others, lets the
// background follow each kind at its rate, and returns the number of moving
// cells.
func (d *Detector) follow(cells []float32) int {
	least := max(minAreaCells, int(minAreaShare*float64(len(cells))))
	moving := 0
	d.regions.each(d.changed, func(region []int32) {
		rate := float32(learnLeft)
		if len(region) >= least && d.alive(region, cells) {
			moving += len(region)
			rate = learnMoving
		}
		for _, i := range region {
			d.background[i] += rate * d.residual[i]
			if rate != learnMoving {
				d.noise[i] += learnStill * (abs(d.residual[i]) - d.noise[i])
			}
		}
	})
	for i, r := range d.residual {
		if !d.changed[i] {
			d.background[i] += learnStill * r
			d.noise[i] += learnStill * (abs(r) - d.noise[i])
		}
		d.recent[i] += learnRecent * (cells[i] - d.recent[i])
	}
	return moving
}

// alive tells a moving region from a thing that was put there, or the place a
// thing was taken from: enough of its cells changed in the last few frames.
func (d *Detector) alive(region []int32, cells []float32) bool {
	n := 0
	for _, i := range region {
		if abs(cells[i]-d.recent[i]) > max(minDelta, cellNoise*d.noise[i])*0.8 {
			n++
		}
	}
	return n >= max(2, int(aliveShare*float64(len(region))))
}

func abs(v float32) float32 {
	if v < 0 {
		return -v
	}
	return v
}
