package cluster

import (
	"context"
	"errors"
	"io"
	"time"

	"skerry/cluster/gentle"
	"skerry/fsm"
	"skerry/fsm/segment"
)

// eraseRetry is the wait after a file could not be looked into or written.
const eraseRetry = 10 * time.Second

// erasing is how far this node's files are rid of what was erased.
type erasing struct {
	done uint64 // version up to which all files were gone through
	// clean are the files that were found or made without any row that erasures
	// up to a version name.
	clean map[fileKey]uint64
}

type fileKey struct {
	stream      fsm.Stream
	first, last fsm.Seq
}

func (h *held) key() fileKey { return fileKey{h.stream, h.first, h.last} }

// eraseFiles writes anew, one at a time, the files that hold erased rows, until
// ctx is done.
func (n *Node) eraseFiles(ctx context.Context) {
	for {
		changed := n.replica.closing.wait()
		rest, err := n.eraseOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			n.log.Warn("erased rows are still in a file", "err", err)
		}
		if rest {
			if pause(ctx, eraseRetry) != nil {
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// eraseOnce goes through all files that may hold what was erased. rest reports
// that some still do: they wait for room on the disk, or failed.
func (n *Node) eraseOnce(ctx context.Context) (rest bool, err error) {
	r := n.replica
	r.mu.RLock()
	erasures, version := r.state.Erasures()
	known := r.erasing.clean
	pending := len(r.pending) > 0
	r.mu.RUnlock()
	clean := map[fileKey]uint64{}
	var errs []error
	for _, s := range dropStreams {
		for _, h := range r.segments.listed(s, 1) {
			if e := erasures.Within(s, h.first, known[h.key()]); len(e) > 0 {
				done, err := n.eraseFile(ctx, h, e)
				if !done {
					rest, errs = true, append(errs, err)
					continue
				}
			}
			clean[h.key()] = version
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erasing.clean = clean
	if !pending && !rest { // what is in memory comes into files yet
		r.erasing.done = max(r.erasing.done, version)
	}
	return rest, errors.Join(errs...)
}

// eraseFile writes a file anew if it holds rows that are erased. done is false
// where there is no room to do so. The file of before stays until the new one is
// durable.
func (n *Node) eraseFile(ctx context.Context, h *held, e fsm.Erasures) (done bool, err error) {
	r := n.replica
	err = r.withHeld(h, func(seg *openSegment) error {
		held, err := seg.Holds(ctx, e)
		if err != nil || !held {
			done = err == nil
			return err
		}
		if !n.roomFor(seg.size) {
			return nil
		}
		c := seg.Cut()
		if err := seg.Verify(c); err != nil { // what is rotten is not to become sound
			return err
		}
		err = r.segments.write(h.stream, c, func(w io.Writer) error {
			_, err := segment.Erase(ctx, gentle.Begin(ctx, nil).Writer(&pacedWriter{ctx, w, n.mergePace}), n.cfg.Site, seg.Segment, e)
			return err
		})
		if done = err == nil; done {
			n.log.Info("erased rows of a file", "stream", h.stream, "first", c.First, "last", c.Last)
		}
		return err
	})
	return done, err
}

// unclean reports that a file may still hold rows that were erased: it is not to
// go up to the bucket.
func (r *replica) unclean(h *held) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	erasures, _ := r.state.Erasures()
	return len(erasures.Within(h.stream, h.first, r.erasing.clean[h.key()])) > 0
}

// toErase is how many devices' rows may still lie in a file. The caller holds mu.
func (r *replica) toErase() (n uint64) {
	erasures, _ := r.state.Erasures()
	for i := range erasures {
		if erasures[i].Version > r.erasing.done {
			n++
		}
	}
	return n
}
