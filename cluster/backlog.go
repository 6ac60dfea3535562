package cluster

// Bounds of the cuts that wait in memory until their segments are durable. At
// one of them the node applies nothing more until a segment is written: its
// disk is slower than what comes in, and proposers are to notice it.
const (
	maxPendingCuts  = 64
	maxPendingBytes = 64 << 20
	// maxWaitingFrames bounds the bytes of frames that wait for room on the disk.
	maxWaitingFrames = 16 << 20
)

// awaitRoom waits until another cut may be kept in memory, or nobody writes
// segments any more.
func (r *replica) awaitRoom() {
	for {
		changed := r.closing.wait()
		if !r.backlogged() {
			return
		}
		<-changed
	}
}

// fillShare is the part of a cut that has come in again when its file is wanted
// soon: what is written meanwhile costs more than it spares.
const (
	fillShare = 16
	fillLeast = 1 << 12 // rows, however small the cut
)

// behind reports that cuts come in faster than they are written, or are about to.
func (r *replica) behind() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	head, _ := r.state.Head()
	return len(r.pending) > 1 || len(r.pending) == 1 && head.Len() > max(r.pending[0].Rows.Len()/fillShare, fillLeast)
}

// stopping reports that nobody makes cuts durable any more.
func (r *replica) stopping() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.idle
}

func (r *replica) backlogged() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	bytes := 0
	for _, c := range r.pending {
		bytes += c.Rows.Bytes()
	}
	return !r.idle && (r.frames.waiting() >= maxWaitingFrames || len(r.pending) >= maxPendingCuts || bytes >= maxPendingBytes)
}
