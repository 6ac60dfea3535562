// Package gentle keeps work in the background from those who wait for an answer.
//
// What a node does for later (files of history, merges, snapshots, reading what it
// holds again) takes a processor for a tenth of a second and more. On a gateway
// with two of them, beside others that do the same at the same moment, an answer
// that goes through several processes then waits a tick of the scheduler for each.
// So such work goes in slices that are shorter than what anybody notices, and rests
// between them.
package gentle

import (
	"context"
	"io"
	"time"
)

const (
	// slice is how long work goes on before it rests. It is far below a tick of
	// the scheduler, and long enough that waking up is no part of the cost.
	slice = 500 * time.Microsecond
	// share: work takes one of so many parts of the time of a processor. Files of
	// history then come from 400,000 readings a second on one that takes 0.3 us for
	// each; where more comes in, work is to hurry.
	share = 8
	// longestRest bounds a rest: where the processor is taken by others a slice
	// seems long, and resting in proportion would have work never end.
	longestRest = 20 * time.Millisecond
)

// Work is one piece of work, done by one goroutine.
type Work struct {
	ctx    context.Context
	hurry  func() bool
	rested time.Time // when the last rest ended
}

// Begin begins work. It goes on without rest when ctx is done, and while hurry says
// so; nil never does.
func Begin(ctx context.Context, hurry func() bool) *Work {
	return &Work{ctx: ctx, hurry: hurry, rested: time.Now()}
}

// Rest waits if a slice of work is done. It is to be called more often than that,
// with no lock held that somebody waits for.
func (w *Work) Rest() {
	worked := time.Since(w.rested)
	if worked < slice {
		return
	}
	if w.hurry == nil || !w.hurry() {
		w.wait(min(worked*(share-1), longestRest))
	}
	w.rested = time.Now()
}

// outside does not count the time since from, which went to a disk or to a pace of
// its own.
func (w *Work) outside(from time.Time) { w.rested = w.rested.Add(time.Since(from)) }

func (w *Work) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.ctx.Done():
	}
}

// Writer is to with a rest before each write, whose own time is no work. Who takes
// long to make the next piece calls Rest meanwhile.
func (w *Work) Writer(to io.Writer) *Writer { return &Writer{w, to} }

// Writer is of Work.Writer.
type Writer struct {
	*Work
	to io.Writer
}

// Write is io.Writer's.
func (w *Writer) Write(b []byte) (int, error) {
	w.Rest()
	defer w.outside(time.Now())
	return w.to.Write(b)
}

// Reader is r with a rest before each read, whose own time is no work.
func (w *Work) Reader(r io.ReaderAt) io.ReaderAt { return reader{w, r} }

type reader struct {
	*Work
	from io.ReaderAt
}

func (r reader) ReadAt(b []byte, off int64) (int, error) {
	r.Rest()
	defer r.outside(time.Now())
	return r.from.ReadAt(b, off)
}
