package coap

import (
	"net/netip"

	"skerry/coap/datagram"
	"skerry/coap/message"
	"skerry/coap/observe"
	"skerry/fsm"
)

// Kinds of observe.Target: what has a version of its own.
const (
	ofSeries uint8 = iota // its latest reading
	ofFrame               // its latest frame
	ofDevice              // the latest readings of all its resources
	ofDesired
	ofReported
)

// Values of the Observe option in a request (RFC 7641 section 2).
const (
	observeBegin = 0
	observeEnd   = 1
)

// Changes is what observing needs of the site as this node has applied it.
type Changes interface {
	// Applied returns a channel that is closed when something is applied after
	// the call.
	Applied() <-chan struct{}
	// LogTime is the site's clock.
	LogTime() fsm.LogTime
	// LastOf is the seq of a device's reading that entered last, 0 for none.
	LastOf(device string) fsm.Seq
}

// endpoint is a peer as what is sent unasked-for knows it: message ids and
// tokens are one's own between two addresses, and in a session.
type endpoint struct {
	session *session // nil for plain UDP, whose two addresses follow
	from    netip.AddrPort
	local   datagram.Local
}

func endpointOf(session *session, from netip.AddrPort, local datagram.Local) endpoint {
	if session != nil {
		return endpoint{session: session}
	}
	return endpoint{from: from, local: local}
}

func (e *envelope) endpoint() endpoint { return endpointOf(e.session, e.from, e.local) }

func (s *source) endpoint() endpoint { return endpointOf(s.session, s.from, s.local) }

// tokenBytes shares the envelope's memory.
func (e *envelope) tokenBytes() []byte {
	if e.long != nil {
		return e.long
	}
	return e.token[:e.size]
}

// watch is a representation that its client wants to observe.
type watch struct {
	read    read
	target  observe.Target
	version uint64 // of the target, before the answer to the request is made
	logTime fsm.LogTime
	to      envelope // with no watch in it
	noted   bool     // it is registered, and the message in hand says so:
	notice  uint32   // its sequence number
}

// observes does what the Observe option of a request asks for. Whoever reads
// without one, or with an unknown value, changes nothing.
func (d *desk) observes(q *call, g *read) error {
	wish, ok := d.msg.Uint(message.Observe)
	switch {
	case !ok:
		return nil
	case wish == observeEnd:
		d.s.observers.end(q.to.endpoint(), string(q.to.tokenBytes()))
		return nil
	case wish != observeBegin || q.to.local.Group || g.part.Num > 0: // a further block is not (RFC 7959 section 2.6)
		return nil
	}
	target, ok := g.observed()
	if !ok {
		return nil
	}
	if err := g.pace.Validate(); err != nil {
		return refuse(message.BadRequest, "%s", err)
	}
	q.to.watch = &watch{read: *g, target: target, to: q.to}
	return nil
}

// begin notes what there is before the answer is made, so that no change is
// missed.
func (w *watch) begin(view View) { w.version, w.logTime = versionOf(view, w.target), view.LogTime() }

// observed is what a representation changes with; ok is false for one that
// cannot be observed.
func (g *read) observed() (t observe.Target, ok bool) {
	t = observe.Target{Device: g.device, Resource: g.resource}
	switch {
	case g.history || timed(g.selectors) > 0:
		return t, false
	case g.place == atSeries && g.choosy && g.accept == formatJPEG:
		t.Kind = ofFrame
	case g.place == atSeries:
		t.Kind = ofSeries
	case g.place == atDevice:
		t.Kind = ofDevice
	case g.place == atDesired:
		t.Kind = ofDesired
	case g.place == atReported:
		t.Kind = ofReported
	default:
		return t, false
	}
	return t, true
}

// versionOf is a number that is another one when a target has changed, 0 for
// one that is not there.
func versionOf(view View, t observe.Target) uint64 {
	switch t.Kind {
	case ofSeries:
		r, _ := view.Latest(t.Device, t.Resource)
		return uint64(r.Seq)
	case ofFrame:
		f, _ := view.LatestFrame(t.Device, t.Resource)
		return uint64(f.Seq)
	case ofDevice:
		return uint64(view.LastOf(t.Device))
	case ofDesired:
		x, _ := view.Document(t.Device, fsm.Desired)
		return x.Version
	case ofReported:
		x, _ := view.Document(t.Device, fsm.Reported)
		return x.Version
	}
	return 0
}
