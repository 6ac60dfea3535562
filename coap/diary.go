package coap

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"skerry/coap/message"
	"skerry/fsm"
)

// maxDiary is how many devices the diary has at most: when the younger half is
// full, the older one is forgotten.
const maxDiary = 8192

// Entry is what a node noted of a device at its door since it started. Nothing
// in it is replicated.
type Entry struct {
	Seen       time.Time `json:"seen"`       // when its last request came
	Address    string    `json:"address"`    // where that came from, host:port
	Over       string    `json:"over"`       // coap, coaps, coap+tcp or coaps+tcp
	Requests   uint64    `json:"requests"`   // with those that came again
	Blocks     uint64    `json:"blocks"`     // of them, blocks of larger bodies
	Readings   uint64    `json:"readings"`   // of posts that were answered as stored
	Duplicates uint64    `json:"duplicates"` // requests whose message id had come before
	Refused    uint64    `json:"refused"`
	Refusal    *Refusal  `json:"refusal,omitempty"` // the last one
	// Expected are the messages between the first and the last of each run of
	// message ids, Missing those of them that did not come.
	// They are of all that its endpoint sent, for other devices too.
	Expected uint64 `json:"expected"`
	Missing  uint64 `json:"missing"`
	Restarts uint64 `json:"restarts"` // of such runs
}

// Refusal is an answer that was not 2.xx.
type Refusal struct {
	At   time.Time `json:"at"`
	Code string    `json:"code"` // as in 4.00
	Text string    `json:"text"`
}

// Loss estimates which share of a device's messages was lost on their way. ok is
// false where its message ids do not tell: too few of them, or drawn at random.
func (e *Entry) Loss() (share float64, ok bool) {
	if e.Expected < minExpected || e.Restarts > e.Expected/minExpected {
		return 0, false
	}
	return float64(e.Missing) / float64(e.Expected), true
}

// minExpected is how many messages make an estimate, and how many a run of ids
// must have in the mean: an estimate of ids drawn at random would be noise.
const minExpected = 10

// diary has the entries by device, in two generations. The zero value is ready.
type diary struct {
	mu         sync.Mutex
	young, old map[string]*sighting // no device is in both
}

// sighting is an entry as it is kept.
type sighting struct {
	name     string
	readings atomic.Uint64

	// The rest is guarded by diary.mu.

	seen       time.Time
	from       netip.AddrPort
	over       string
	requests   uint64
	blocks     uint64
	duplicates uint64
	refused    uint64
	last       Refusal
	// Of the endpoint it sends from now: what its message ids told when it came
	// in, and with its last request.
	since, now tally
	earlier    tally // of the endpoints before
}

// mention notes the request in d.msg, unless its handler has done so, and what
// it was refused for.
func (d *desk) mention(q *call, refused *refusal) {
	if q.seen == nil {
		if q.seen = d.s.diary.see(d.speaker(q), q, d.now); q.seen == nil {
			return
		}
	}
	if refused != nil {
		d.s.diary.refuse(q.seen, refused, d.now)
	}
}

// speaker is the device that the sender of the request in d.msg is: what it
// proved to be, or whose name it writes in. Anybody may read, so that a reader
// is nobody, but for who reads what a device shall be like.
func (d *desk) speaker(q *call) string {
	switch {
	case q.from.session != nil && q.from.session.device != "":
		return q.from.session.device
	case d.msg.Code == message.GET && q.at.place != atDesired, d.msg.Code == message.FETCH:
		return ""
	}
	return q.at.device
}

// see notes a request of a device, and returns what further is noted in; nil
// for a name that is none.
func (y *diary) see(device string, q *call, now time.Time) *sighting {
	if device == "" || len(device) > fsm.MaxDevice {
		return nil
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if q.from.replayed { // noted when it came
		return y.find(device)
	}
	e := y.of(device)
	e.seen, e.over = now, q.from.session.scheme()
	e.requests++
	if q.to.blockwise {
		e.blocks++
	}
	if q.from.again {
		e.duplicates++
	}
	ids := q.from.peer.ids.tally
	if e.from != q.from.from || ids.expected < e.now.expected { // it moved, or its endpoint was forgotten
		e.earlier.add(e.now.less(e.since))
		e.from, e.since = q.from.from, ids.less(tally{expected: min(1, ids.expected)})
	}
	e.now = ids
	return e
}

// refuse notes why a device was refused; nil is nobody.
func (y *diary) refuse(e *sighting, why *refusal, now time.Time) {
	if e == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	e.refused++
	e.last = Refusal{At: now, Code: why.code.String(), Text: cut(why.text, maxDiagnostic)}
}

// fail notes that somebody at an address named an identity of the device and did
// not have its key.
func (y *diary) fail(device string, from netip.AddrPort, now time.Time) {
	y.mu.Lock()
	defer y.mu.Unlock()
	e := y.of(device)
	if e.requests == 0 { // it was not heard before
		e.seen, e.from, e.over = now, from, "coaps"
	}
	e.refused++
	e.last = Refusal{
		At: now, Code: message.Unauthorized.String(),
		Text: "a DTLS handshake from " + from.String() + " named it and came to nothing: the key is wrong, revoked or over, or the peer gave up",
	}
}

// of finds or makes the entry of a device.
func (y *diary) of(device string) *sighting {
	if e := y.young[device]; e != nil {
		return e
	}
	e := y.old[device]
	if e == nil {
		e = &sighting{name: strings.Clone(device)} // a part of a message is no reason to keep all of it
	}
	delete(y.old, device)
	if y.young == nil || len(y.young) >= maxDiary/2 {
		y.old, y.young = y.young, map[string]*sighting{}
	}
	y.young[e.name] = e
	return e
}

// find is the entry of a device, nil for none.
func (y *diary) find(device string) *sighting {
	if e := y.young[device]; e != nil {
		return e
	}
	return y.old[device]
}

// Diary is what this node noted of a device; ok is false when it heard nothing
// of it, or too long ago. It may be called at any time, from any goroutine.
func (s *Server) Diary(device string) (entry Entry, ok bool) {
	y := &s.diary
	y.mu.Lock()
	defer y.mu.Unlock()
	e := y.find(device)
	if e == nil {
		return Entry{}, false
	}
	ids := e.earlier
	ids.add(e.now.less(e.since))
	entry = Entry{
		Seen: e.seen.UTC(), Address: e.from.String(), Over: e.over,
		Requests: e.requests, Blocks: e.blocks, Readings: e.readings.Load(), Duplicates: e.duplicates, Refused: e.refused,
		Expected: uint64(ids.expected), Missing: uint64(ids.missing), Restarts: uint64(ids.restarts),
	}
	if e.refused > 0 {
		last := e.last
		last.At = last.At.UTC()
		entry.Refusal = &last
	}
	return entry, true
}

// scheme is what a session's messages come over; none is plain UDP.
func (s *session) scheme() string {
	switch {
	case s == nil:
		return "coap"
	case !s.stream:
		return "coaps"
	case s.device != "":
		return "coaps+tcp"
	}
	return "coap+tcp"
}
