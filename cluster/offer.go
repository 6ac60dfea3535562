package cluster

import (
	"context"
	"sync/atomic"

	"skerry/fsm"
)

// offer is a proposal that nobody waits for.
type offer struct {
	proposal
	ctx     context.Context
	cancel  context.CancelFunc
	done    func(fsm.Result, error)
	settled atomic.Bool // by the answer to the first copy, or by the end of ctx
}

// Offer is Propose for those who do not wait: it calls done once with what
// Propose would have returned, before it returns or later, from any goroutine.
// done must not wait. While this node leads, an offer costs no goroutine until
// something goes wrong.
func (n *Node) Offer(ctx context.Context, cmd fsm.Command, done func(fsm.Result, error)) {
	p, err := n.propose(cmd)
	if err != nil {
		done(fsm.Result{}, err)
		return
	}
	o := &offer{proposal: *p, done: done}
	o.ctx, o.cancel = context.WithTimeout(ctx, retryFor)
	r := n.reign.Load()
	if r == nil || !o.keyed {
		go o.goOn() // ends with o.ctx
		return
	}
	fsm.SetBorn(o.body, o.bornOf(r.logTime()))
	s := newSubmission(r.term, o.op, o.body, nil)
	stop := context.AfterFunc(o.ctx, o.timedOut)
	s.done = func(a answer) { stop(); o.answered(a) }
	if err := n.committer.submit(s); err != nil {
		s.done(answer{fate: refused, err: err})
	}
}

// answered takes what became of the first copy.
func (o *offer) answered(a answer) {
	if o.settled.Swap(true) {
		return
	}
	result, err, settled := o.judge(a)
	if !settled {
		go o.again() // ends with o.ctx
		return
	}
	o.cancel()
	o.done(result, err)
}

// timedOut gives up while the first copy's fate is not known.
func (o *offer) timedOut() {
	if o.settled.Swap(true) {
		return
	}
	o.doubt = true
	o.done(o.failed(ErrNoLeader))
}

// again goes on with the next copy after a short while.
func (o *offer) again() {
	if err := pause(o.ctx, retryPause); err != nil {
		o.cancel()
		o.done(o.failed(ErrNoLeader))
		return
	}
	o.goOn()
}

// goOn is the rest of the proposal's life.
func (o *offer) goOn() {
	defer o.cancel()
	o.done(o.run(o.ctx))
}
