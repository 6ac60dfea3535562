package observe

import (
	"container/heap"
	"errors"
	"time"
)

// Limits bound a Registry.
type Limits struct {
	Observations int // of all peers
	Peer         int // of one
}

// DefaultLimits suit a gateway with 512 MB of RAM: about 4 MB.
func DefaultLimits() Limits { return Limits{Observations: 4_096, Peer: 64} }

// Errors of Add.
var (
	// ErrFull: as many observations as the registry takes are there.
	ErrFull = errors.New("too many observations")
	// ErrPeerFull: as many as one peer may have.
	ErrPeerFull = errors.New("too many observations of this peer")
)

// Form is how notifications are sent.
type Form uint8

const (
	// Confirmable: each is acknowledged, and the next waits for that.
	Confirmable Form = iota
	// NonConfirmable: most are not, see Registry.Notify.
	NonConfirmable
	// Stream: over a transport that delivers by itself (RFC 8323).
	Stream
)

// Target is what is observed. Kind tells representations apart that have
// versions of their own; its values are the caller's.
type Target struct {
	Kind     uint8
	Device   string
	Resource string
}

// Observation is one observer's interest in one target. R is what the caller
// needs to make the representation that was asked for.
type Observation[P comparable, R any] struct {
	Peer    P
	Token   string
	Target  Target
	Form    Form
	Pace    Pace
	Request R

	watched     *watched[P, R]
	version     uint64 // last notified
	sequence    uint64 // last given, not yet cut to 24 bits
	notified    time.Time
	confirmed   time.Time // registered, or last notified by a confirmable message
	unconfirmed int       // notifications since
	busy        bool      // a notification is on its way
	taken       bool      // the caller is making one
	failed      bool      // the last one could not be sent
	retry       time.Time // meant when failed
	due         time.Time
	index       int // in Registry.due
}

// watched is a target with all who observe it.
type watched[P comparable, R any] struct {
	target  Target
	version uint64
	by      map[*Observation[P, R]]struct{}
}

// Registry holds observations.
//
// Invariant: each observation is in peers, in its target's set and in due.
type Registry[P comparable, R any] struct {
	limits  Limits
	peers   map[P]map[string]*Observation[P, R] // by token
	targets map[Target]*watched[P, R]
	due     byTime[P, R]
}

// New makes an empty registry.
func New[P comparable, R any](limits Limits) *Registry[P, R] {
	return &Registry[P, R]{
		limits: limits, peers: map[P]map[string]*Observation[P, R]{}, targets: map[Target]*watched[P, R]{},
	}
}

// Add registers an observation whose peer is told the state of a version, at
// now and a log time in microseconds. It takes the place of an earlier one of
// the peer and token, of which nothing more may be sent. The result is the
// Observe option of the answer. Errors: ErrFull, ErrPeerFull; then nothing has
// changed, and the answer has no such option (RFC 7641 section 4.1).
func (r *Registry[P, R]) Add(now time.Time, logTime int64, version uint64, o Observation[P, R]) (sequence uint32, err error) {
	former := r.peers[o.Peer][o.Token]
	switch {
	case former != nil:
		o.sequence = former.sequence
		r.remove(former)
	case len(r.due) >= r.limits.Observations:
		return 0, ErrFull
	case len(r.peers[o.Peer]) >= r.limits.Peer:
		return 0, ErrPeerFull
	}
	o.version, o.notified, o.confirmed = version, now, now
	r.insert(&o)
	heap.Push(&r.due, &o)
	r.plan(&o)
	r.learn(o.watched, version)
	return o.next(logTime), nil
}

func (r *Registry[P, R]) insert(o *Observation[P, R]) {
	if r.peers[o.Peer] == nil {
		r.peers[o.Peer] = map[string]*Observation[P, R]{}
	}
	r.peers[o.Peer][o.Token] = o
	w := r.targets[o.Target]
	if w == nil {
		w = &watched[P, R]{target: o.Target, version: o.version, by: map[*Observation[P, R]]struct{}{}}
		r.targets[o.Target] = w
	}
	w.by[o] = struct{}{}
	o.watched = w
}

// Remove ends an observation; false when there is none.
func (r *Registry[P, R]) Remove(peer P, token string) bool {
	o := r.peers[peer][token]
	if o == nil {
		return false
	}
	r.remove(o)
	return true
}

// RemovePeer ends all observations of a peer and returns how many there were.
func (r *Registry[P, R]) RemovePeer(peer P) int {
	n := len(r.peers[peer])
	for _, o := range r.peers[peer] {
		r.remove(o)
	}
	return n
}

func (r *Registry[P, R]) remove(o *Observation[P, R]) {
	heap.Remove(&r.due, o.index)
	of := r.peers[o.Peer]
	if delete(of, o.Token); len(of) == 0 {
		delete(r.peers, o.Peer)
	}
	if delete(o.watched.by, o); len(o.watched.by) == 0 {
		delete(r.targets, o.Target)
	}
}

// Len is how many observations there are.
func (r *Registry[P, R]) Len() int { return len(r.due) }

// Targets is how many targets they have.
func (r *Registry[P, R]) Targets() int { return len(r.targets) }

// Compare asks for the version of each target. Whose target has another one
// than it was notified of becomes due.
func (r *Registry[P, R]) Compare(version func(Target) uint64) {
	for _, w := range r.targets {
		r.learn(w, version(w.target))
	}
}

func (r *Registry[P, R]) learn(w *watched[P, R], version uint64) {
	if version == w.version {
		return
	}
	w.version = version
	for o := range w.by {
		r.plan(o)
	}
}
