package coap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"skerry/coap/message"
	"skerry/fsm"
)

const (
	// proposeTimeout is how long a device waits for an outcome before it is
	// told that it is unknown.
	proposeTimeout = 60 * time.Second
	// adjustFrom is the wait from which relative times are corrected; below it
	// they say nothing.
	adjustFrom = time.Millisecond
)

// stored is the answer to what the site has.
var stored = reply{code: message.Changed}

// propose starts a proposer with its first load.
func (s *Server) propose(ctx context.Context, l *load) {
	s.work.Go(func() {
		box := s.boxes.Get().(*outbox)
		defer s.boxes.Put(box)
		for ; l != nil; l = s.intake.next() {
			s.carry(ctx, box, l)
		}
	})
}

// carry brings one load to the site and its outcomes to the devices.
func (s *Server) carry(ctx context.Context, box *outbox, l *load) {
	now := time.Now()
	oldest := l.flights[0].arrived
	if now.Sub(oldest) > s.cfg.Limits.QueueWait {
		s.turnAway(box, l, now)
		return
	}
	ctx, cancel := context.WithDeadline(ctx, oldest.Add(proposeTimeout))
	defer cancel()
	s.stats.proposals.Add(1)
	result, err := s.cfg.Store.Propose(ctx, l.command(now))
	if err == nil && len(result.Outcomes) != len(l.flights) {
		err = fmt.Errorf("%w: %d for %d messages", errOutcomes, len(result.Outcomes), len(l.flights))
	}
	if err != nil && refusalOfPropose(err) == refusedInternal {
		s.log.Error("the site does not take a proposal", "messages", len(l.flights), "err", err)
	}
	if err != nil && s.stopping(ctx) {
		s.intake.land(l, make([]fate, len(l.flights)), time.Now())
		return // the device sends again, to whoever serves then
	}
	s.settle(box, l, result, err)
}

var errOutcomes = errors.New("wrong number of outcomes")

// stopping tells whether ctx ended because the server stops, not by its deadline.
func (s *Server) stopping(ctx context.Context) bool {
	return errors.Is(ctx.Err(), context.Canceled)
}

// settle answers all who wait for a load.
func (s *Server) settle(box *outbox, l *load, result fsm.Result, err error) {
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
	}
	box.flush()
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
	}
	box.flush()
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
	batch := &fsm.Batch{Items: make([]fsm.Item, len(l.flights))}
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
	return batch
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
			for _, l := range s.intake.overdue(now.Add(-patience)) {
				s.turnAway(box, l, now)
			}
		}
	}
}
