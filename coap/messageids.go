package coap

// Bounds of what one step of a message id can mean.
const (
	// maxGap is the largest step that is taken for lost messages. A larger one
	// is a counter that began anew.
	maxGap = 1000
	// recent is how many ids back one is still known to have come or not.
	recent = 64
)

// tally is what message ids tell of losses.
//
// Invariant: missing <= expected.
type tally struct {
	expected uint32 // messages from the first id of each run to its last
	missing  uint32 // of them
	restarts uint32 // runs begun after the first
}

func (t *tally) add(o tally) {
	t.expected += o.expected
	t.missing += o.missing
	t.restarts += o.restarts
}

// less is what came after an earlier tally of the same ids. Missing ones that
// were only late may have been told before.
func (t tally) less(o tally) tally {
	return tally{t.expected - o.expected, t.missing - min(t.missing, o.missing), t.restarts - o.restarts}
}

// run follows the message ids of an endpoint. Most stacks count them up by one
// for each message (RFC 7252 section 4.4), so that a gap is a message that did
// not come, or went to another gateway.
type run struct {
	begun bool
	last  uint16 // the highest id of the run
	came  uint64 // bit i is set when last-i came
	tally
}

// take notes an id, and tells whether it had come before.
func (r *run) take(id uint16) (again bool) {
	ahead, back := id-r.last, r.last-id
	switch {
	case !r.begun:
		r.begun, r.last, r.came = true, id, 1
		r.expected++
	case back < recent:
		if r.came>>back&1 == 1 {
			return true
		}
		r.came |= 1 << back
		if r.missing > 0 { // it was only late
			r.missing--
		} else {
			r.expected++ // from before the run's first
		}
	case ahead < maxGap:
		r.last, r.came = id, r.came<<ahead|1
		r.expected += uint32(ahead)
		r.missing += uint32(ahead) - 1
	default:
		r.last, r.came = id, 1
		r.expected++
		r.restarts++
	}
	return false
}

// follow notes the message id of what a source sent. Streams have none.
func (f *source) follow(id uint16) {
	if f.replayed || f.session != nil && f.session.stream {
		return
	}
	f.again = f.peer.ids.take(id)
}
