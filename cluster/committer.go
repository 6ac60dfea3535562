package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"skerry/fsm"
)

// Bounds of one entry and of what is under way.
const (
	maxEntryBytes   = 256 << 10
	maxEntryRecords = 4096
	// maxInFlight entries may be written at once. What arrives meanwhile
	// shares the next one; more in flight makes entries smaller, not faster.
	maxInFlight    = 2
	enqueueTimeout = 5 * time.Second
	// submissionBytes is what a submission takes in the queue beside its body:
	// some commands have none.
	submissionBytes = 128
	// company readings in the queue are enough: who lingers goes on.
	company = 256
)

// submission is one proposer's command on its way into an entry.
type submission struct {
	term    uint64 // the reign it is meant for
	op      fsm.Op
	body    []byte
	records int
	done    func(answer) // called once; does not wait
}

func newSubmission(term uint64, op fsm.Op, body []byte, done func(answer)) *submission {
	s := &submission{term: term, op: op, body: body, done: done}
	if op == fsm.OpReadings {
		s.records = fsm.BatchRecords(body)
	}
	return s
}

// answer is what became of a submission. fate is stored when err is nil.
type answer struct {
	result fsm.Result
	fate   fate
	err    error
}

// fate tells what is certain about a proposal that was sent once.
type fate uint8

const (
	applied fate = iota // committed and applied; the result may hold refusals
	refused             // this copy was not stored and never will be
	unknown             // it may have been, or may yet be
)

// committer gathers submissions into entries and waits for them. Readings that
// arrive while entries are being written share the next one.
type committer struct {
	n       *Node
	mu      sync.Mutex
	queue   []*submission
	bytes   int  // of what is in queue, at most profile.queueBytes
	records int  // readings in queue
	ended   bool // run has returned, or will without another look at queue
	ready   chan struct{}
	plenty  chan struct{} // there is company
}

func newCommitter(n *Node) *committer {
	return &committer{n: n, ready: make(chan struct{}, 1), plenty: make(chan struct{}, 1)}
}

// submit puts s in the queue. ErrOverloaded: it is full, s was dropped.
// ErrClosed: nobody would take it any more. ErrLevel: not all servers know it.
// ErrDiskFull: it would fill disks that are full.
func (c *committer) submit(s *submission) error {
	if err := c.n.takes(s.op); err != nil {
		return err
	}
	if err := c.n.refuses(s.op); err != nil {
		return err
	}
	if err := c.push(s); err != nil {
		return err
	}
	select {
	case c.ready <- struct{}{}:
	default:
	}
	return nil
}

func (c *committer) push(s *submission) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	size := submissionBytes + len(s.body)
	switch {
	case c.ended:
		return ErrClosed
	case c.bytes+size > c.n.profile.queueBytes:
		return ErrOverloaded
	}
	c.queue = append(c.queue, s)
	c.bytes += size
	c.records += s.records
	if c.records >= company {
		select {
		case c.plenty <- struct{}{}:
		default:
		}
	}
	return nil
}

// end refuses what waits and all that comes after.
func (c *committer) end() {
	c.mu.Lock()
	subs := c.queue
	c.queue, c.bytes, c.records, c.ended = nil, 0, 0, true
	c.mu.Unlock()
	reply(subs, answer{fate: refused, err: ErrClosed})
}

// take removes what fits into one entry from the queue's head: a run of
// readings, or one other command.
func (c *committer) take() []*submission {
	c.mu.Lock()
	defer c.mu.Unlock()
	size, records, k := 0, 0, 0
	for k < len(c.queue) {
		s := c.queue[k]
		size += len(s.body)
		records += s.records
		if k > 0 && (s.op != fsm.OpReadings || s.term != c.queue[0].term || size > maxEntryBytes || records > maxEntryRecords) {
			break
		}
		c.bytes -= submissionBytes + len(s.body)
		c.records -= s.records
		k++
		if s.op != fsm.OpReadings {
			break
		}
	}
	batch := c.queue[:k:k]
	c.queue = c.queue[k:]
	if len(c.queue) == 0 {
		c.queue = nil
	}
	return batch
}

// written is an entry given to raft.
type written struct {
	future raft.ApplyFuture
	subs   []*submission
}

// run writes entries until ctx is done, then answers what waits.
func (c *committer) run(ctx context.Context) {
	slots := make(chan struct{}, maxInFlight)
	inFlight := make(chan written, maxInFlight)
	var wg sync.WaitGroup
	wg.Go(func() {
		for w := range inFlight {
			c.finish(w)
			<-slots
		}
	})
	defer wg.Wait()
	defer close(inFlight)
	defer c.end()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.ready:
		}
		c.linger(ctx)
		for ctx.Err() == nil {
			slots <- struct{}{}
			subs := c.take()
			if len(subs) == 0 {
				<-slots
				break
			}
			if !c.write(subs, inFlight) {
				<-slots
			}
		}
	}
}

// linger waits for company, as configured.
func (c *committer) linger(ctx context.Context) {
	if c.n.cfg.Linger == 0 {
		return
	}
	select {
	case <-c.plenty: // of an earlier queue, perhaps: then this one wait is shorter
		return
	default:
	}
	t := time.NewTimer(c.n.cfg.Linger)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.plenty:
	case <-ctx.Done():
	}
}

// write gives one entry to raft; it reports false when it answered instead.
func (c *committer) write(subs []*submission, inFlight chan<- written) bool {
	r := c.n.reign.Load()
	if r == nil || r.term != subs[0].term {
		reply(subs, answer{fate: refused, err: ErrNotLeader})
		return false
	}
	bodies := make([][]byte, len(subs))
	size := 64
	for i, s := range subs {
		bodies[i] = s.body
		size += len(s.body) + 10
	}
	now := r.stamp(c.n.cfg.Seams.Wall())
	entry := fsm.AppendEntry(make([]byte, 0, size), fsm.Header{
		Op: subs[0].op, ClockUnknown: clockUnknown(now), LogTime: r.logTime(), Received: now.UnixMicro(),
	}, bodies...)
	inFlight <- written{c.n.raft.Apply(entry, enqueueTimeout), subs}
	return true
}

// finish waits for an entry and answers its submissions.
func (c *committer) finish(w written) {
	err := w.future.Error()
	c.n.noteTransfer(err)
	if err != nil {
		a := answer{fate: unknown, err: fmt.Errorf("%w (%w)", ErrUnknown, err)}
		if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrEnqueueTimeout) ||
			errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			a = answer{fate: refused, err: ErrNotLeader}
		}
		reply(w.subs, a)
		return
	}
	if err, ok := w.future.Response().(error); ok { // this node ends; the others go on
		reply(w.subs, answer{fate: unknown, err: fmt.Errorf("%w (%w)", ErrUnknown, err)})
		return
	}
	outcomes, ok := w.future.Response().([][]fsm.Outcome)
	if !ok || len(outcomes) != len(w.subs) {
		panic(fmt.Sprintf("entry %d of %d submissions was answered with %v", w.future.Index(), len(w.subs), w.future.Response()))
	}
	for i, s := range w.subs {
		s.done(answer{result: fsm.Result{Index: w.future.Index(), Outcomes: outcomes[i]}})
	}
}

func reply(subs []*submission, a answer) {
	for _, s := range subs {
		s.done(a)
	}
}

// unknownBefore is a time that no gateway of this program can truly have.
var unknownBefore = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// clockUnknown tells that a wall clock was never set.
func clockUnknown(now time.Time) bool { return now.Before(unknownBefore) }
