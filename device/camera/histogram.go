package camera

// Buckets of a histogram.
const (
	bucketsPerLevel = 8   // resolution of a median
	lowestLevel     = 256 // below zero: differences are counted too
)

// histogram counts luma levels and their differences, -256 to 255.
type histogram struct {
	buckets [2 * 256 * bucketsPerLevel]int32
	n       int32
}

func (h *histogram) add(v float32) {
	h.buckets[min(max(int((v+lowestLevel)*bucketsPerLevel), 0), len(h.buckets)-1)]++
	h.n++
}

// median is the middle of the bucket that holds the median, 0 of nothing.
func (h *histogram) median() float32 {
	left := (h.n + 1) / 2
	for i, n := range h.buckets {
		if left -= n; n > 0 && left <= 0 {
			return (float32(i)+0.5)/bucketsPerLevel - lowestLevel
		}
	}
	return 0
}
