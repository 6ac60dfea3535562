package coap

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"skerry/fsm"
)

const (
	// proposers is how many proposals are on their way at once. While all are,
	// what comes in gathers into the next ones.
	proposers = 16
	// maxLoadRecords and maxLoadBytes end the gathering of one proposal, well
	// inside one log entry (4,096 readings, 256 KiB).
	maxLoadRecords = 1024
	maxLoadBytes   = 64 << 10
	// maxWaiters is how many copies of a message are answered together.
	maxWaiters = 4
	// recordOverhead is about what a record takes beside its names and value.
	recordOverhead = 48
)

// post is a message that wants to be stored: readings or a frame.
type post struct {
	key       fsm.Key
	content   uint64
	records   []fsm.Record
	frame     *fsm.FrameCommand
	condition *fsm.Condition // nil for none
	bytes     int
	from      *peer
	seen      *sighting // of its sender, for the diary
	over      bool      // its peer is beyond its rate
	recalled  bool      // the body was taken before and is gone: only its outcome is asked for
	to        envelope
}

// flight is a message on its way to the site, with all who wait for its outcome.
type flight struct {
	post
	arrived time.Time
	// doubtful is set when an earlier copy was sent and not decided. Then no
	// answer may say that nothing was stored.
	doubtful bool
	chunk    *chunk     // where it lies
	more     []envelope // copies, of the same or another endpoint; guarded by intake.mu
}

// load is one proposal: a batch of flights with readings, or one flight with a
// frame or a condition.
type load struct {
	flights []*flight
	records int
	bytes   int

	// Of a load on its way.
	ctx    context.Context // done when the server stops
	stage  atomic.Uint32
	result fsm.Result // once it is decided
	err    error
}

// alone tells that a post is a command of its own.
func (p *post) alone() bool { return p.frame != nil || p.condition != nil }

// takes tells whether f may join the load.
func (l *load) takes(f *flight) bool {
	return !f.alone() && !l.flights[0].alone() &&
		l.records+len(f.records) <= maxLoadRecords && l.bytes+f.bytes <= maxLoadBytes
}

func (l *load) add(f *flight) {
	l.flights = append(l.flights, f)
	l.records += len(f.records)
	l.bytes += f.bytes
}

// intake is between the reader and the site: what waits, what is on its way,
// and what was decided a short while ago.
//
// Invariant: busy == proposers, or queue is empty, whenever mu is free.
type intake struct {
	limits   Limits
	inherits time.Time // until then an earlier process may have taken a copy

	mu       sync.Mutex
	queue    []*load // waiting, oldest first
	busy     int     // loads on their way
	inFlight map[fsm.Key]*flight
	decided  decided
	bytes    int // of inFlight
}

func newIntake(l Limits) *intake {
	return &intake{limits: l, inFlight: map[fsm.Key]*flight{}}
}

// verdict is what the intake says of a post at once.
type verdict struct {
	kind    verdictKind
	refused *refusal // when kind is isRefused
}

type verdictKind uint8

const (
	isTaken   verdictKind = iota // its answer comes with the outcome
	isJoined                     // its answer comes with the outcome of the copy ahead of it
	isKnown                      // an earlier copy is stored: 2.04
	isRefused                    // nothing of this copy was sent
)

// submit takes what one turn brought, and returns a verdict for each flight and
// the loads that are to be proposed right away.
func (in *intake) submit(flights []*flight, verdicts []verdict) ([]verdict, []*load) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, f := range flights {
		verdicts = append(verdicts, in.take(f))
	}
	var start []*load
	for in.busy < proposers && len(in.queue) > 0 {
		in.busy++
		start = append(start, in.pop())
	}
	return verdicts, start
}

func (in *intake) take(f *flight) verdict {
	if ahead := in.inFlight[f.key]; ahead != nil {
		return ahead.join(f)
	}
	switch fate, content := in.decided.get(f.key, f.arrived); {
	case fate == wasStored && content == f.content:
		return verdict{kind: isKnown}
	case fate == wasUnknown, f.arrived.Before(in.inherits):
		f.doubtful = true
	}
	if f.recalled {
		if f.doubtful {
			return verdict{isRefused, refusedUnknown}
		}
		return verdict{isRefused, refusedPieces}
	}
	if refused := in.full(f); refused != nil {
		if f.doubtful {
			refused = refusedUnknown
		}
		return verdict{isRefused, refused}
	}
	in.inFlight[f.key] = f
	in.bytes += f.bytes
	f.from.flights++
	if n := len(in.queue); n > 0 && in.queue[n-1].takes(f) {
		in.queue[n-1].add(f)
	} else {
		l := &load{}
		l.add(f)
		in.queue = append(in.queue, l)
	}
	return verdict{kind: isTaken}
}

// full judges the bounds.
func (in *intake) full(f *flight) *refusal {
	switch {
	case f.over:
		return refusedRate
	case f.from.flights >= in.limits.PeerFlights:
		return refusedPeer
	case len(in.inFlight) >= in.limits.Flights, in.bytes+f.bytes > in.limits.FlightBytes && in.bytes > 0:
		return refusedQueue
	}
	return nil
}

// join lets a copy share the outcome of the one ahead of it. The same datagram
// once more needs no answer of its own.
func (f *flight) join(copied *flight) verdict {
	if copied.content != f.content {
		return verdict{isRefused, refusedConflict}
	}
	if f.to.same(&copied.to) || len(f.more) == maxWaiters {
		return verdict{kind: isJoined}
	}
	for i := range f.more {
		if f.more[i].same(&copied.to) {
			return verdict{kind: isJoined}
		}
	}
	f.more = append(f.more, copied.to)
	return verdict{kind: isJoined}
}

func (in *intake) pop() *load {
	l := in.queue[0]
	in.queue[0] = nil
	in.queue = in.queue[1:]
	return l
}

// next is the load that goes after one that was decided, nil for none.
func (in *intake) next() *load {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.queue) == 0 {
		in.busy--
		return nil
	}
	return in.pop()
}

// overdue takes out the loads whose first flight has waited since before
// limit.
func (in *intake) overdue(limit time.Time) []*load {
	in.mu.Lock()
	defer in.mu.Unlock()
	var late []*load
	for len(in.queue) > 0 && in.queue[0].flights[0].arrived.Before(limit) {
		late = append(late, in.pop())
	}
	return late
}

// land ends flights, remembers their fates and freezes who waits for them.
func (in *intake) land(l *load, fates []fate, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, f := range l.flights {
		delete(in.inFlight, f.key)
		in.bytes -= f.bytes
		f.from.flights--
		if fates[i] == wasRefused && f.doubtful {
			fates[i] = wasUnknown
		}
		if fates[i] != wasRefused {
			in.decided.put(f.key, fates[i], f.content, now)
		}
	}
}

// load returns the messages on their way and their bytes.
func (in *intake) load() (flights, bytes int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.inFlight), in.bytes
}

// sizeOf is about how many bytes records take in a proposal.
func sizeOf(records []fsm.Record) (n int) {
	for i := range records {
		r := &records[i]
		n += recordOverhead + len(r.Device) + len(r.Resource) + len(r.Unit) + len(r.Value.Text) + len(r.Value.Data)
	}
	return n
}
