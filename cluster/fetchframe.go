package cluster

import (
	"crypto/sha256"
	"fmt"

	"skerry/fsm"
)

// fetchedFrame keeps the bytes of an open frame that a peer gave.
func (r *replica) fetchedFrame(seq fsm.Seq, jpeg []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok := r.missingFrames[seq]
	if !ok || r.replacing { // after it the frame is asked for again, if it is still wanted
		return nil
	}
	if sha256.Sum256(jpeg) != f.SHA256 {
		return fmt.Errorf("frame %d: a peer gave other bytes", seq)
	}
	if err := r.frames.put(seq, jpeg); err != nil {
		return err
	}
	delete(r.missingFrames, seq)
	return nil
}
