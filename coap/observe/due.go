package observe

import (
	"container/heap"
	"time"
)

const (
	// confirmEvery is how many notifications of a non-confirmable observation
	// make one confirmable, and confirmAfter the time after which one is.
	confirmEvery = 8
	confirmAfter = time.Minute
	// confirmAtLeast is the longest time without a confirmable one, of any
	// observation (RFC 7641 section 4.5: 24 hours).
	confirmAtLeast = 24 * time.Hour
	// refresh is how often a notification that is on its way gets a newer one
	// behind it.
	refresh = time.Second
	// retry is the wait after a notification that could not be sent.
	retry = time.Second
	// never is beyond all times.
	never = 100 * 365 * 24 * time.Hour
)

const (
	tickBits     = 12 // of a log time are below a sequence number
	sequenceMask = 1<<24 - 1
)

// next gives the next sequence number.
func (o *Observation[P, R]) next(logTime int64) uint32 {
	o.sequence = max(o.sequence+1, uint64(max(logTime, 0))>>tickBits)
	return uint32(o.sequence & sequenceMask)
}

// changed tells whether there is a state its peer has not been told.
func (o *Observation[P, R]) changed() bool { return o.failed || o.version != o.watched.version }

// at is when the observation is due.
func (o *Observation[P, R]) at() time.Time {
	switch {
	case o.taken:
		return o.notified.Add(never)
	case o.failed:
		return o.retry
	case o.busy && o.changed():
		return o.notified.Add(max(refresh, o.Pace.Min))
	case o.busy:
		return o.notified.Add(never)
	case o.changed():
		return o.notified.Add(o.Pace.Min)
	}
	at := o.notified.Add(never)
	if o.Form != Stream {
		at = o.confirmed.Add(confirmAtLeast)
	}
	if repeat := o.notified.Add(o.Pace.Max); o.Pace.Max > 0 && repeat.Before(at) {
		at = repeat
	}
	return at
}

// plan puts an observation where its next notification is in time.
func (r *Registry[P, R]) plan(o *Observation[P, R]) {
	if at := o.at(); !at.Equal(o.due) {
		o.due = at
		heap.Fix(&r.due, o.index)
	}
}

// Next is when Due has something; ok is false without observations.
func (r *Registry[P, R]) Next() (at time.Time, ok bool) {
	if len(r.due) == 0 {
		return time.Time{}, false
	}
	return r.due[0].due, true
}

// Take takes the observation that is due longest, nil for none. The caller makes
// its representation and calls Notify or Unsent, if it is still held then.
func (r *Registry[P, R]) Take(now time.Time) *Observation[P, R] {
	if len(r.due) == 0 || r.due[0].due.After(now) {
		return nil
	}
	o := r.due[0]
	o.taken = true
	r.plan(o)
	return o
}

// Holds tells whether an observation is still in the registry.
func (r *Registry[P, R]) Holds(o *Observation[P, R]) bool { return r.peers[o.Peer][o.Token] == o }

// Notice is what the registry decides of a notification.
type Notice struct {
	Sequence    uint32 // the Observe option
	Confirmable bool   // never over a stream
}

// Notify records that an observer is being told the state of a version. Unless it is of a stream, the observation is busy until Landed.
//
// A non-confirmable observation is told by a confirmable message every eighth
// time and after a minute without one. measured says whether the peer's
// round-trip time is known; while it is not, the second notification is
// confirmable, because the ones after it need that time (RFC 7641 section 4.5.1).
func (r *Registry[P, R]) Notify(now time.Time, logTime int64, version uint64, measured bool, o *Observation[P, R]) Notice {
	n := Notice{Sequence: o.next(logTime)}
	switch o.Form {
	case Confirmable:
		n.Confirmable = true
	case NonConfirmable:
		n.Confirmable = o.unconfirmed+1 >= confirmEvery || !measured && o.unconfirmed > 0 ||
			now.Sub(o.confirmed) >= confirmAfter
	}
	o.unconfirmed++
	if n.Confirmable {
		o.unconfirmed, o.confirmed = 0, now
	}
	o.version, o.notified = version, now
	o.busy, o.failed, o.taken = o.Form != Stream, false, false
	r.plan(o)
	r.learn(o.watched, version)
	return n
}

// Unsent records that a notification could not be made or sent: the observation
// is due again a second later.
func (r *Registry[P, R]) Unsent(now time.Time, o *Observation[P, R]) {
	o.busy, o.failed, o.taken = false, true, false
	o.retry = now.Add(max(retry, o.Pace.Min))
	r.plan(o)
}

// Landed records that no notification of an observation is on its way any more.
func (r *Registry[P, R]) Landed(peer P, token string) {
	if o := r.peers[peer][token]; o != nil {
		o.busy = false
		r.plan(o)
	}
}

// byTime is a heap of observations, the one due first on top.
type byTime[P comparable, R any] []*Observation[P, R]

var _ heap.Interface = (*byTime[int, int])(nil)

func (h byTime[P, R]) Len() int           { return len(h) }
func (h byTime[P, R]) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h byTime[P, R]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is heap's; use heap.Push.
func (h *byTime[P, R]) Push(x any) {
	o := x.(*Observation[P, R])
	o.index = len(*h)
	*h = append(*h, o)
}

// Pop is heap's; use heap.Pop.
func (h *byTime[P, R]) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return o
}
