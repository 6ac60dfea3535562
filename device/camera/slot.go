package camera

import "context"

// slot holds at most one waiting frame between the source and the analysis.
type slot chan Frame

func newSlot() slot { return make(slot, 1) }

// put places a frame, in the stead of one that still waits, and reports
// whether it took one's place. Only one goroutine puts.
func (s slot) put(f Frame) (replaced bool) {
	select {
	case <-s:
		replaced = true
	default:
	}
	s <- f
	return replaced
}

// pump runs a source into the slot and closes it at the end.
func (s slot) pump(ctx context.Context, src Source, st *status) error {
	defer close(s)
	return src.Run(ctx, func(f Frame) {
		if s.put(f) {
			st.replaced.Add(1)
		}
	})
}
