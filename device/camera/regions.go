package camera

// regions finds connected cells. It keeps its memory between pictures.
type regions struct {
	width, height int
	seen          []bool
	found         []int32 // the region in hand, and the queue of the search
}

func newRegions(width, height int) regions {
	return regions{width: width, height: height, seen: make([]bool, width*height), found: make([]int32, 0, width*height)}
}

// each calls visit once for each set of marked cells that touch by side or
// corner. The slice is valid during the call.
func (r *regions) each(marked []bool, visit func(cells []int32)) {
	clear(r.seen)
	for i := range marked {
		if marked[i] && !r.seen[i] {
			visit(r.flood(marked, i))
		}
	}
}

// flood collects the region around a cell, breadth first.
func (r *regions) flood(marked []bool, first int) []int32 {
	r.seen[first] = true
	r.found = append(r.found[:0], int32(first))
	for at := 0; at < len(r.found); at++ {
		x, y := int(r.found[at])%r.width, int(r.found[at])/r.width
		for ny := max(y-1, 0); ny <= min(y+1, r.height-1); ny++ {
			for nx := max(x-1, 0); nx <= min(x+1, r.width-1); nx++ {
				if n := ny*r.width + nx; marked[n] && !r.seen[n] {
					r.seen[n] = true
					r.found = append(r.found, int32(n))
				}
			}
		}
	}
	return r.found
}
