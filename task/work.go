package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

const (
	// readPage bounds the readings that one step of a run holds.
	readPage = 4096
	// flush is how long readings are counted before the cursor moves when no
	// window is due. It bounds what a next attempt reads again, and a step
	// costs a write on every disk.
	flush = 5 * time.Second
	// stepTimeout bounds one proposal; its outcome is then read from the state.
	stepTimeout = 10 * time.Second
	// retryAfter is the wait after an error.
	retryAfter = time.Second
)

// errGone: the run is another's, or its task is cancelled.
var errGone = errors.New("the run is over")

// work is one attempt at a task. It is the only goroutine that knows it.
//
// Invariants: committed <= read; tally holds exactly the readings up to read;
// the state's cursor is committed unless a proposal's outcome is not known yet,
// in which case loaded is false.
type work struct {
	site    Site
	id      string
	node    string
	attempt uint64
	log     *slog.Logger

	stumbled  bool // the step before ended in an error
	loaded    bool
	tally     *tally
	created   int64 // of the task, which tells it from a later one of its ID
	committed fsm.Seq
	read      fsm.Seq
	moved     time.Time // when the cursor moved last
	renewed   time.Time // when the lease was renewed last
	seen      horizon
}

// horizon says that everything that was acknowledged at the moment at has a
// seq of at most last.
type horizon struct {
	at   time.Time
	last fsm.Seq
}

// run works until the run is over or ctx is done. Every error leads to the
// state as it is committed, and on from there.
func (w *work) run(ctx context.Context) {
	w.log.Info("run begun")
	for {
		applied := w.site.Applied()
		more, err := w.step(ctx)
		w.report(err)
		switch {
		case ctx.Err() != nil, errors.Is(err, errGone), errors.Is(err, ErrSaved):
			return
		case err != nil:
			w.loaded = false
			waitApplied(ctx, nil, retryAfter)
		case !more:
			waitApplied(ctx, applied, w.patience())
		}
	}
}

// report logs where a run starts, stumbles and ends: one line for each row of
// equal fortunes.
func (w *work) report(err error) {
	switch {
	case errors.Is(err, errGone), errors.Is(err, context.Canceled):
		w.log.Info("run ended")
	case errors.Is(err, ErrSaved):
		w.log.Error("run given up", "err", err)
	case err != nil && !w.stumbled:
		w.log.Warn("run waits", "err", err)
	case err == nil && w.stumbled:
		w.log.Info("run goes on")
	}
	w.stumbled = err != nil
}

// step reads a page, and moves the cursor or renews the lease where it is
// time. more is true when there is work left that need not be waited for.
func (w *work) step(ctx context.Context) (more bool, err error) {
	view, err := w.current(ctx)
	if err != nil {
		return false, err
	}
	last := view.Last(fsm.Readings)
	page, err := view.After(ctx, w.read, readPage)
	if err != nil {
		return false, fmt.Errorf("read after seq %d: %w", w.read, err)
	}
	full := w.take(page)
	if !full && len(page) < readPage { // what is not in it is erased
		w.read = max(w.read, last)
	}
	if err := w.look(ctx); err != nil {
		return false, err
	}
	switch {
	case w.tally.due(w.passedTime()), w.read > w.committed && time.Since(w.moved) >= flush:
		err = w.advance(ctx)
	case time.Since(w.renewed) >= Lease/3:
		err = w.renew(ctx)
	}
	more = full || len(page) == readPage || w.read < w.seen.last || w.tally.due(w.passedTime())
	return more, err
}

// current is a view in which the run is still this one's, with the tally
// loaded. Errors: errGone, those of a view.
func (w *work) current(ctx context.Context) (View, error) {
	// After an unknown outcome only a linearizable view shows what came of it.
	consistency := cluster.Local
	if !w.loaded {
		consistency = cluster.Linearizable
	}
	view, err := w.site.View(ctx, consistency)
	if err != nil {
		return nil, err
	}
	task, ok := view.Task(w.id)
	if !ok || task.State != fsm.TaskActive || task.Attempt != w.attempt || task.Node != w.node {
		return nil, errGone
	}
	// A local view may lag behind the own last step, never be ahead of it.
	if w.loaded && task.Cursor <= w.committed && task.Created == w.created {
		return view, nil
	}
	w.tally, err = loadTally(task.Spec, task.Saved)
	if err != nil {
		return nil, err
	}
	w.committed, w.read, w.created = task.Cursor, task.Cursor, task.Created
	w.moved, w.renewed = time.Now(), time.Now()
	w.loaded = true
	return view, nil
}

// take counts the readings of a page. It returns true when it stopped before
// the page's end, because windows must be emitted first.
func (w *work) take(page []fsm.Reading) bool {
	for i := range page {
		if !w.tally.add(&page[i]) {
			return true
		}
		w.read = page[i].Seq
	}
	return false
}

// look renews the horizon when a window waits for the clock alone.
func (w *work) look(ctx context.Context) error {
	ripe, ok := w.tally.nextRipe()
	now := time.Now()
	if !ok || now.Before(ripe) || !w.seen.at.Before(ripe) {
		return nil
	}
	view, err := w.site.View(ctx, cluster.Linearizable)
	if err != nil {
		return err
	}
	w.seen = horizon{at: now, last: view.Last(fsm.Readings)}
	return nil
}

// passedTime is the latest moment of which it is known that everything
// acknowledged until then was read; the zero time when there is none.
func (w *work) passedTime() time.Time {
	if w.read >= w.seen.last {
		return w.seen.at
	}
	return time.Time{}
}

// patience is how long nothing needs to be done unless something is applied.
func (w *work) patience() time.Duration {
	next := w.renewed.Add(Lease / 3)
	if w.read > w.committed {
		next = earlier(next, w.moved.Add(flush))
	}
	if ripe, ok := w.tally.nextRipe(); ok && ripe.After(w.seen.at) {
		next = earlier(next, ripe)
	}
	return max(time.Until(next), 0)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// advance emits what is due and moves the cursor to what was read.
func (w *work) advance(ctx context.Context) error {
	output := w.tally.emit(w.passedTime())
	saved, err := w.tally.save()
	if err != nil {
		return err
	}
	err = w.propose(ctx, fsm.AdvanceRunCommand{
		Task: w.id, Attempt: w.attempt, Node: w.node, From: w.committed, To: w.read,
		State: saved, Lease: Lease.Microseconds(), Output: output,
	})
	if err != nil {
		return fmt.Errorf("advance from seq %d to %d: %w", w.committed, w.read, err)
	}
	w.committed, w.moved, w.renewed = w.read, time.Now(), time.Now()
	return nil
}

// renew keeps the lease of a run that has nothing to store.
func (w *work) renew(ctx context.Context) error {
	err := w.propose(ctx, fsm.RenewRunCommand{
		Task: w.id, Attempt: w.attempt, Node: w.node, Lease: Lease.Microseconds(),
	})
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	w.renewed = time.Now()
	return nil
}

func (w *work) propose(ctx context.Context, cmd fsm.Command) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	res, err := w.site.Propose(ctx, cmd)
	if err != nil {
		return err
	}
	return refusal(res)
}
