package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"skerry/fsm"
)

const (
	leaderPatience = 5 * time.Second  // how long a proposal waits for a leader
	retryFor       = 60 * time.Second // a proposal's whole life, by the monotonic clock
	retryPause     = 20 * time.Millisecond
)

// Propose gives a command to the site and returns when it is committed on a
// majority of disks and applied. It works on any node. A *fsm.Batch or
// *fsm.FrameCommand or *fsm.ConditionalBatch is retried by its keys until ctx is done, 60 s at most. A
// result may hold refusals. Errors: ErrNoLeader and ErrOverloaded (nothing was
// stored, ever, of a message that Known does not remember), ErrUnknown (it may
// have been), ErrClosed.
//
// Where there is no leader and nothing was sent yet it waits 5 s, then returns
// ErrNoLeader. It always returns within 60 s.
func (n *Node) Propose(ctx context.Context, cmd fsm.Command) (result fsm.Result, err error) {
	decided := make(chan struct{})
	n.Offer(ctx, cmd, func(r fsm.Result, e error) {
		result, err = r, e
		close(decided)
	})
	<-decided
	return result, err
}

// propose encodes and checks a command.
func (n *Node) propose(cmd fsm.Command) (*proposal, error) {
	op, body := fsm.Encode(cmd)
	if err := fsm.CheckAs(n.knows, op, body); err != nil {
		return nil, err
	}
	p := &proposal{n: n, op: op, body: body, start: time.Now(), keyed: keyed(op), lasting: true}
	switch c := cmd.(type) {
	case *fsm.Batch:
		p.askFor(c.Items)
	case *fsm.ConditionalBatch:
		p.askFor(c.Batch.Items)
		p.lasting = c.If.Lasting()
	case *fsm.FrameCommand:
		p.asks = []ask{{c.Key, c.Content}}
	}
	return p, nil
}

// Propose is Node.Propose without forwarding: it fails with ErrNotLeader
// unless this node leads in the duty's term. A fsm.DutyCommand is stamped with
// the term.
func (l *Lead) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	if d, ok := cmd.(fsm.DutyCommand); ok {
		cmd = d.InTerm(l.Term)
	}
	op, body := fsm.Encode(cmd)
	if err := fsm.CheckAs(l.n.knows, op, body); err != nil {
		return fsm.Result{}, err
	}
	r := l.n.reign.Load()
	if r == nil || r.term != l.Term {
		return fsm.Result{}, ErrNotLeader
	}
	if keyed(op) {
		fsm.SetBorn(body, r.logTime())
	}
	a := l.n.submitAndWait(ctx, l.Term, op, body)
	return a.result, a.err
}

// Lead is one term of leading.
type Lead struct {
	Term uint64
	n    *Node
}

// proposal is one command until its outcome is known.
type proposal struct {
	n     *Node
	op    fsm.Op
	body  []byte
	asks  []ask // what the window may know the answer to
	keyed bool  // retries are recognised by their keys
	// lasting is set unless a condition that one copy does not meet may be met
	// by an earlier one that comes in later.
	lasting bool
	start   time.Time
	doubt   bool        // a copy was sent whose fate is not known
	born    fsm.LogTime // of the first copy that is in doubt
}

func (p *proposal) run(ctx context.Context) (fsm.Result, error) {
	for {
		to, err := p.n.awaitLeader(ctx, p.start.Add(leaderPatience), p.doubt)
		if err != nil {
			return p.failed(ErrNoLeader)
		}
		born, err := p.n.born(ctx, to)
		// The clock is read after born was told: a process that was paused
		// before, and so is late, finds out here; one paused after it sends a
		// copy that Apply refuses.
		if late := time.Since(p.start) > retryFor; late || (err == nil && ctx.Err() != nil) {
			return p.failed(ErrNoLeader)
		}
		if err == nil {
			if result, err, settled := p.judge(p.send(ctx, to, p.bornOf(born))); settled {
				return result, err
			}
		}
		if err := pause(ctx, retryPause); err != nil {
			return p.failed(ErrNoLeader)
		}
	}
}

// judge says what the answer to one copy means; unless it is settled the
// proposal goes on with another copy.
func (p *proposal) judge(a answer) (result fsm.Result, err error, settled bool) {
	switch {
	case a.fate == applied && !p.expired(a.result):
		return a.result, nil, true
	case a.fate == unknown:
		p.doubt = true
		if !p.keyed {
			return fsm.Result{}, ErrUnknown, true
		}
	case errors.Is(a.err, ErrOverloaded), errors.Is(a.err, ErrClosed), a.fate == refused && !errors.Is(a.err, ErrNotLeader):
		result, err = p.failed(a.err)
		return result, err, true
	}
	return fsm.Result{}, nil, false
}

// keyed tells which commands carry keys, and when they were born.
func keyed(op fsm.Op) bool {
	return op == fsm.OpReadings || op == fsm.OpFrame || op == fsm.OpConditional
}

func (p *proposal) askFor(items []fsm.Item) {
	for i := range items {
		p.asks = append(p.asks, ask{items[i].Key, items[i].Content})
	}
}

// ask is a message as the window knows it.
type ask struct {
	key     fsm.Key
	content uint64
}

// failed gives up. What it says is certain when no copy's fate is in doubt, and
// true of all messages that Known does not remember: an earlier copy may have
// come another way. Where all are remembered, theirs is the answer.
func (p *proposal) failed(certain error) (fsm.Result, error) {
	var known fsm.Result
	for _, a := range p.asks {
		if o, ok := p.n.Known(a.key, a.content); ok {
			known.Outcomes = append(known.Outcomes, o)
		}
	}
	switch {
	case len(p.asks) > 0 && len(known.Outcomes) == len(p.asks):
		return known, nil
	case p.doubt:
		return fsm.Result{}, ErrUnknown
	}
	return fsm.Result{}, certain
}

// bornOf is when the next copy was born, now that the leader told its log time.
// While a copy is in doubt the next is as old as that one: born later, it could
// come in after the key was forgotten that the first one left. Where a new
// leader's clock is behind, nothing of the doubtful copy's time was committed,
// and the earlier time holds for both.
func (p *proposal) bornOf(told fsm.LogTime) fsm.LogTime {
	if !p.doubt || told < p.born {
		p.born = told
	}
	return p.born
}

// expired reports a result in which Apply refused this copy as too old, as one
// too many, or for a condition that may yet be met, while another copy may be
// stored: none of these says anything about the message, so it is sent again.
func (p *proposal) expired(r fsm.Result) bool {
	if !p.keyed {
		return false
	}
	for _, o := range r.Outcomes {
		passing := o.Code == fsm.WindowFull || (o.Code == fsm.Precondition && !p.lasting)
		if o.Code == fsm.Expired || (p.doubt && passing) {
			return true
		}
	}
	return false
}

func (p *proposal) send(ctx context.Context, to leaderInfo, born fsm.LogTime) answer {
	body := p.body
	if p.keyed {
		// A copy that was sent before may still be read by its receiver.
		body = append([]byte(nil), body...)
		fsm.SetBorn(body, born)
		fsm.SetWaited(body, time.Since(p.start).Microseconds())
	}
	if to.self {
		return p.n.submitAndWait(ctx, to.term, p.op, body)
	}
	return p.n.forward(ctx, to, p.op, body)
}

// submitAndWait gives a checked body to this node's own committer.
func (n *Node) submitAndWait(ctx context.Context, term uint64, op fsm.Op, body []byte) answer {
	done := make(chan answer, 1)
	if err := n.committer.submit(newSubmission(term, op, body, func(a answer) { done <- a })); err != nil {
		return answer{fate: refused, err: err}
	}
	select {
	case a := <-done:
		return a
	case <-ctx.Done():
		return answer{fate: unknown, err: fmt.Errorf("%w: %w", ErrUnknown, ctx.Err())}
	case <-n.closed:
		return answer{fate: unknown, err: ErrUnknown}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
