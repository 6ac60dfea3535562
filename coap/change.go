package coap

import (
	"context"
	"errors"
	"sync"
	"time"

	"skerry/cluster"
	"skerry/coap/message"
	"skerry/fsm"
)

// Bounds of the changes on their way: what is not a reading is rare.
const (
	maxChanges         = 128 // on their way to the site, of all endpoints
	maxChangesOfTarget = 8   // of one document or registration
	// maxAnswered bounds the changes whose answers are remembered, in each of
	// two generations.
	maxAnswered = 1024
	// sameFor is how long a message may come again (EXCHANGE_LIFETIME, RFC 7252
	// section 4.8.2).
	sameFor = 247 * time.Second
	// changePause is between two tries of a change whose outcome is unknown.
	changePause = 50 * time.Millisecond
	// seenWithin bounds the wait for this node to have applied a change.
	seenWithin = time.Second
)

// change is a request that changes a document or a registration. It may be
// proposed again: a second time it changes nothing.
type change struct {
	of      string // what it changes: one target's changes are made in order
	command fsm.Command
	// complete returns the command with what takes a while to get; nil where
	// there is nothing to add.
	complete func(ctx context.Context) (fsm.Command, error)
	// answer turns the outcome into a reply or a *refusal.
	answer func(o fsm.Outcome) (*reply, error)

	key fsm.Key // of the message
	to  envelope
}

// changes are on their way, each target's in a line of its own.
type changes struct {
	mu    sync.Mutex
	lines map[string][]*change // the first of a line is with the site
	n     int                  // in all lines
	// The last answer that was given at a target, and to what message.
	young, old map[string]answered
}

type answered struct {
	key fsm.Key
	at  time.Time
	reply
}

// change checks a change and has a goroutine make it; the answer comes later. A
// message that comes again gets the answer it had, or none while it is on its
// way.
func (d *desk) change(ctx context.Context, q *call, c change) error {
	if q.from.over {
		return refusedRate
	}
	op, body := fsm.Encode(c.command)
	if err := fsm.Check(op, body); err != nil {
		return refuse(message.BadRequest, "%s", err)
	}
	if !d.keyed() {
		return refusedNotBegun
	}
	c.key, c.to = d.keyOf(q), q.to
	d.note(q, c.key, 0)
	again, first, err := d.s.changes.add(&c, d.now)
	switch {
	case err != nil:
		return err
	case again != nil:
		d.s.stats.duplicates.Add(1)
		d.out.add(&c.to, again)
	case first:
		d.s.work.Go(func() { d.s.makeChanges(ctx, c.of) })
	}
	return nil
}

// add puts a change into its line. again is the answer it had; first tells that
// the line is new, and nobody works on it.
func (cs *changes) add(c *change, now time.Time) (again *reply, first bool, err error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	line := cs.lines[c.of]
	for _, ahead := range line {
		if ahead.key == c.key {
			return nil, false, nil
		}
	}
	if last, ok := cs.last(c.of); ok && len(line) == 0 && last.key == c.key && now.Sub(last.at) < sameFor {
		return &last.reply, false, nil
	}
	if cs.n == maxChanges || len(line) == maxChangesOfTarget {
		return nil, false, refusedQueue
	}
	if cs.lines == nil {
		cs.lines = map[string][]*change{}
	}
	cs.n++
	cs.lines[c.of] = append(line, c)
	return nil, len(line) == 0, nil
}

// find looks for the change of a message: the answer it had, or whether it is on
// its way.
func (cs *changes) find(k fsm.Key, now time.Time) (again *reply, waits bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, line := range cs.lines {
		for _, c := range line {
			if c.key == k {
				return nil, true
			}
		}
	}
	for _, generation := range []map[string]answered{cs.young, cs.old} {
		for _, a := range generation {
			if a.key == k && now.Sub(a.at) < sameFor {
				return &a.reply, false
			}
		}
	}
	return nil, false
}

func (cs *changes) last(of string) (answered, bool) {
	if a, ok := cs.young[of]; ok {
		return a, true
	}
	a, ok := cs.old[of]
	return a, ok
}

// done takes the first of a line out, with the answer it was given, nil for
// none, and returns the next. An answer that is not final is not remembered.
func (cs *changes) done(c *change, said *reply) *change {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if said != nil && said.code.Class() != 5 && said.code != message.TooManyRequests {
		if cs.young == nil || len(cs.young) >= maxAnswered {
			cs.old, cs.young = cs.young, map[string]answered{}
		}
		cs.young[c.of] = answered{c.key, time.Now(), *said}
	}
	cs.n--
	line := cs.lines[c.of][1:]
	if len(line) == 0 {
		delete(cs.lines, c.of)
		return nil
	}
	cs.lines[c.of] = line
	return line[0]
}

// first is the change that a line is at.
func (cs *changes) first(of string) *change {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.lines[of][0]
}

// makeChanges makes a target's changes one after the other until there is none.
func (s *Server) makeChanges(ctx context.Context, of string) {
	box := s.boxes.Get().(*outbox)
	defer s.boxes.Put(box)
	for c := s.changes.first(of); c != nil; {
		said := s.makeChange(ctx, c)
		if said != nil {
			box.add(&c.to, said)
		}
		c = s.changes.done(c, said) // first, so that a copy that comes now is answered too
		box.flush()
	}
}

// makeChange returns the answer to a change, nil when the server stops before
// there is one: the device sends again, to whoever serves then.
func (s *Server) makeChange(ctx context.Context, c *change) *reply {
	ctx, cancel := context.WithTimeout(ctx, proposeTimeout)
	defer cancel()
	said, err := s.tryChange(ctx, c)
	if err != nil && s.stopping(ctx) {
		return nil
	}
	if err != nil {
		refused := refusalOf(err)
		s.stats.refused[refused.reason].Add(1)
		r := refused.reply()
		return &r
	}
	return said
}

func (s *Server) tryChange(ctx context.Context, c *change) (*reply, error) {
	cmd := c.command
	if c.complete != nil {
		var err error
		if cmd, err = c.complete(ctx); err != nil {
			return nil, err
		}
	}
	o, err := s.decide(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return c.answer(o)
}

// decide has the site decide a command, again while the outcome of a try is
// unknown. The error is a *refusal.
func (s *Server) decide(ctx context.Context, cmd fsm.Command) (fsm.Outcome, error) {
	doubt := false
	for {
		s.stats.proposals.Add(1)
		result, err := s.cfg.Store.Propose(ctx, cmd)
		if err == nil && len(result.Outcomes) != 1 {
			err = errOutcomes
		}
		if err == nil {
			s.see(ctx, result.Index)
			return settled(cmd, result.Outcomes[0], doubt)
		}
		doubt = doubt || errors.Is(err, cluster.ErrUnknown)
		refused := refusalOfPropose(err)
		switch {
		case refused == refusedInternal:
			s.log.Error("the site does not take a proposal", "err", err)
			return fsm.Outcome{}, refused
		case !doubt:
			return fsm.Outcome{}, refused
		}
		select {
		case <-ctx.Done():
			return fsm.Outcome{}, refusedUnknown
		case <-time.After(changePause):
		}
	}
}

// settled is the outcome of a command of which an earlier copy may have been
// applied: what that one changed may be what this one stumbles over.
func settled(cmd fsm.Command, o fsm.Outcome, doubt bool) (fsm.Outcome, error) {
	_, removes := cmd.(fsm.UnregisterCommand)
	switch {
	case doubt && o.Code == fsm.Precondition:
		return o, refusedUnknown
	case doubt && removes && o.Code == fsm.NotFound:
		o.Code = fsm.Stored
	}
	return o, nil
}

// see waits until this node has applied what was decided, so that who asks it
// next is told of it. Where that takes long the answer goes out before.
func (s *Server) see(ctx context.Context, index uint64) {
	if s.cfg.Await == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, seenWithin)
	defer cancel()
	_ = s.cfg.Await(ctx, index) // it fails by its time only
}
