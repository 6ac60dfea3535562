package fsm

import "io"

// Rester is a writer that is told between pieces of work of which none takes much
// longer than a millisecond. Rest may wait there, so that what takes long to write
// leaves the processor to others.
type Rester interface{ Rest() }

// RestOf is the Rest of a writer that has one, else one that does nothing.
func RestOf(w io.Writer) func() {
	if r, ok := w.(Rester); ok {
		return r.Rest
	}
	return noRest
}

func noRest() {}

// restSlots are so many slots of the window after which work on them rests.
const restSlots = 4 << 10
