package coap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"skerry/coap/message"
	"skerry/fsm"
)

const (
	// proposeTimeout is how long a device waits for an outcome before it is
	// told that it is unknown. An offer's store keeps to it.
	proposeTimeout = 60 * time.Second
	// adjustFrom is the wait from which relative times are corrected; below it
	// they say nothing.
	adjustFrom = time.Millisecond
)

// stored is the answer to what the site has.
var stored = reply{code: message.Changed}

// propose sends a load to the site, and while loads are decided at once those
// that wait behind it. What is decided is answered through box, which the
// caller flushes; what is not is answered by land.
func (s *Server) propose(ctx context.Context, box *outbox, l *load) {
	for ; l != nil && s.carry(ctx, box, l); l = s.intake.next() {
		l.flights = nil
	}
}

// carry brings one load to the site; false when its outcome comes later.
func (s *Server) carry(ctx context.Context, box *outbox, l *load) bool {
	now := time.Now()
	if now.Sub(l.flights[0].arrived) > s.cfg.Limits.QueueWait {
		s.turnAway(box, l, now)
		return true
	}
	l.ctx = ctx
	s.stats.proposals.Add(1)
	s.work.Add(1)
	s.offer(ctx, l.command(now), func(result fsm.Result, err error) {
		l.result, l.err = result, err
		if !l.stage.CompareAndSwap(offered, decidedAtOnce) {
			s.landed.push(l)
		}
	})
	if l.stage.CompareAndSwap(offered, parted) {
		return false
	}
	s.settle(box, l)
	s.work.Done()
	return true
}

// The stages of a load: who gets there first decides who answers it.
const (
	offered       uint32 = iota
	decidedAtOnce        // its outcome came before its proposer went on
	parted               // its proposer went on: its outcome lands
)

// Offerer is a Store that makes no caller wait; *cluster.Node is one.
type Offerer interface {
	// Offer gives a command to the site and calls done once with what Propose
	// would have returned: before it returns or later, from any goroutine. done
	// does not wait.
	Offer(ctx context.Context, cmd fsm.Command, done func(fsm.Result, error))
}

// offererOf makes a store's Offer of its Propose where it has none.
func offererOf(store Store) func(context.Context, fsm.Command, func(fsm.Result, error)) {
	if o, ok := store.(Offerer); ok {
		return o.Offer
	}
	return func(ctx context.Context, cmd fsm.Command, done func(fsm.Result, error)) {
		go func() { done(store.Propose(ctx, cmd)) }() // ends with ctx; Server.work counts its load
	}
}

// landing is where loads wait whose outcomes have come, to be answered together.
type landing struct {
	mu    sync.Mutex
	loads []*load // at most proposers of them
	ready chan struct{}
}

func (g *landing) push(l *load) {
	g.mu.Lock()
	g.loads = append(g.loads, l)
	g.mu.Unlock()
	select {
	case g.ready <- struct{}{}:
	default:
	}
}

// take takes all, and leaves spare to be filled.
func (g *landing) take(spare []*load) []*load {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.loads
	g.loads = spare
	return all
}

// land answers what has landed, and sends what waited for it to, until over is
// closed: when ctx is done no load is on its way for long, but each still lands.
func (s *Server) land(ctx context.Context, over <-chan struct{}) {
	box := newOutbox(s)
	var loads []*load
	for {
		select {
		case <-over:
			return
		case <-s.landed.ready:
		}
		loads = s.landed.take(loads[:0])
		for _, l := range loads {
			s.settle(box, l)
		}
		box.flush()
		for i := range loads {
			loads[i] = nil
			s.propose(ctx, box, s.intake.next())
			s.work.Done() // after the next one is counted
		}
		box.flush()
	}
}

var errOutcomes = errors.New("wrong number of outcomes")

// stopping tells whether ctx ended because the server stops, not by its deadline.
func (s *Server) stopping(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled)
}

// settle answers all who wait for a load whose outcome has come.
func (s *Server) settle(box *outbox, l *load) {
	result, err := l.result, l.err
	if err == nil && len(result.Outcomes) != len(l.flights) {
		err = fmt.Errorf("%w: %d for %d messages", errOutcomes, len(result.Outcomes), len(l.flights))
	}
	if err != nil && refusalOfPropose(err) == refusedInternal {
		s.log.Error("the site does not take a proposal", "messages", len(l.flights), "err", err)
	}
	if err != nil && s.stopping(l.ctx) {
		s.intake.land(l, make([]fate, len(l.flights)), time.Now())
		return // the device sends again, to whoever serves then
	}
	fates := make([]fate, len(l.flights))
	refusals := make([]*refusal, len(l.flights))
	for i := range l.flights {
		if err != nil {
			refusals[i] = refusalOfPropose(err)
		} else {
			refusals[i] = refusalOfOutcome(result.Outcomes[i])
		}
		if s.remembered(l.flights[i], refusals[i]) {
			refusals[i] = nil
		}
		fates[i] = fateOf(refusals[i])
	}
	s.intake.land(l, fates, time.Now())
	for i, f := range l.flights {
		known := err != nil || result.Outcomes[i].Known
		s.answerFlight(box, f, fates[i], refusals[i], known)
		f.chunk.done()
	}
}

// fateOf is what a refusal says of the message.
func fateOf(r *refusal) fate {
	switch r {
	case nil:
		return wasStored
	case refusedUnknown, refusedInternal:
		return wasUnknown
	}
	return wasRefused
}

// turnAway refuses a load that was never sent.
func (s *Server) turnAway(box *outbox, l *load, now time.Time) {
	fates := make([]fate, len(l.flights))
	refusals := make([]*refusal, len(l.flights))
	for i, f := range l.flights {
		if !s.remembered(f, refusedSlow) {
			refusals[i] = refusedSlow
		}
		fates[i] = fateOf(refusals[i])
	}
	s.intake.land(l, fates, now)
	for i, f := range l.flights {
		s.answerFlight(box, f, fates[i], refusals[i], true)
		f.chunk.done()
	}
}

// remembered tells that a refusal would be wrong: it says that nothing was
// stored, or that nobody knows, and the site remembers an earlier copy.
func (s *Server) remembered(f *flight, why *refusal) bool {
	if why == nil || why == refusedConflict {
		return false
	}
	_, known := s.cfg.Store.Known(f.key, f.content)
	return known
}

// answerFlight adds the answers to a flight that has landed.
func (s *Server) answerFlight(box *outbox, f *flight, became fate, refused *refusal, known bool) {
	if refused == nil {
		s.count(f, known)
		box.add(&f.to, &stored)
		for i := range f.more {
			s.stats.duplicates.Add(1)
			box.add(&f.more[i], &stored)
		}
		return
	}
	if became == wasUnknown && refused != refusedInternal {
		refused = refusedUnknown // an earlier copy may have been stored
	}
	answer := refused.reply()
	s.stats.refused[refused.reason].Add(uint64(1 + len(f.more)))
	s.diary.refuse(f.seen, refused, time.Now())
	box.add(&f.to, &answer)
	for i := range f.more {
		box.add(&f.more[i], &answer)
	}
}

func (s *Server) count(f *flight, known bool) {
	switch {
	case known:
		s.stats.duplicates.Add(1)
	case f.frame != nil:
		s.stats.frames.Add(1)
	default:
		s.stats.readings.Add(uint64(len(f.records)))
		if f.seen != nil {
			f.seen.readings.Add(uint64(len(f.records)))
		}
	}
}

// command makes the command of a load that is sent at now. Relative times count
// from the moment the message came in, so what it waited here is taken off.
func (l *load) command(now time.Time) fsm.Command {
	if f := l.flights[0]; f.frame != nil {
		f.frame.Key, f.frame.Content = f.key, f.content
		if waited := now.Sub(f.arrived); f.frame.Relative && waited >= adjustFrom {
			f.frame.Time = earlier(f.frame.Time, waited)
		}
		return f.frame
	}
	batch := fsm.Batch{Items: make([]fsm.Item, len(l.flights))}
	for i, f := range l.flights {
		batch.Items[i] = fsm.Item{Key: f.key, Content: f.content, Records: f.records}
		waited := now.Sub(f.arrived)
		if waited < adjustFrom {
			continue
		}
		for j := range f.records {
			if f.records[j].Relative {
				f.records[j].Time = earlier(f.records[j].Time, waited)
			}
		}
	}
	if c := l.flights[0].condition; c != nil {
		return &fsm.ConditionalBatch{If: *c, Batch: batch}
	}
	return &batch
}

// earlier moves a relative time back, within its bounds.
func earlier(micros int64, by time.Duration) int64 {
	return max(micros-by.Microseconds(), -fsm.MaxRelative)
}

// sweep turns away what no proposer gets to, while they all wait for the site.
func (s *Server) sweep(ctx context.Context) {
	patience := s.cfg.Limits.QueueWait
	tick := time.NewTicker(patience / 5)
	defer tick.Stop()
	box := newOutbox(s)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.blocks.expire(now)
			for _, l := range s.intake.overdue(now.Add(-patience)) {
				s.turnAway(box, l, now)
			}
			box.flush()
		}
	}
}
