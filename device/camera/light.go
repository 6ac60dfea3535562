package camera

// light is how the brightness of a whole picture changed against the
// background: new = old + offset + slope*old.
type light struct{ offset, slope float32 }

// minSpread is how far apart, in levels, the dark and the bright half of a
// background must be for a slope to mean anything.
const minSpread = 16

// fitLight compares a picture with its background. Each half of the cells, the
// dark and the bright one, gives the median of its change, so that things that
// cover less than a quarter of the picture have no say.
func fitLight(background, cells []float32) light {
	var levels histogram
	for _, v := range background {
		levels.add(v)
	}
	middle := levels.median()
	var level, change [2]histogram
	for i, v := range background {
		half := 0
		if v > middle {
			half = 1
		}
		level[half].add(v)
		change[half].add(cells[i] - v)
	}
	dark, bright := change[0].median(), change[1].median()
	spread := level[1].median() - level[0].median()
	if level[0].n == 0 || level[1].n == 0 || spread < minSpread {
		var all histogram
		for i, v := range background {
			all.add(cells[i] - v)
		}
		return light{offset: all.median()}
	}
	slope := (bright - dark) / spread
	return light{offset: dark - slope*level[0].median(), slope: slope}
}

// at is the change of a cell of level v.
func (l light) at(v float64) float64 { return float64(l.offset) + float64(l.slope)*v }

// apply is what a cell of level v shows in this light.
func (l light) apply(v float32) float32 { return min(max(v+l.offset+l.slope*v, 0), 255) }
