package faultlab

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// maxViolations bounds those that a run tells: one is enough to end it.
const maxViolations = 20

// fate is what a client knows of a message.
type fate uint8

const (
	pending fate = iota // it is on its way, or its outcome was never told
	acked
	refused // for certain: it is nowhere, ever
)

func (f fate) String() string { return [...]string{"unanswered", "acknowledged", "refused"}[f] }

// message is one item that a client sent: readings with ids in a row.
type message struct {
	first   uint64 // id of its first reading
	n       int
	fate    fate
	seq     fsm.Seq // of its first reading, when acknowledged
	created time.Time
}

// truth is what the clients know and what was seen anywhere.
type truth struct {
	s  *site
	mu sync.Mutex // guards all below

	violations []string
	broken     chan struct{} // closed at the first
	messages   []*message    // by the id of each of its readings; 0 is nobody's
	seen       []uint64      // by seq, the id of the reading there, as it was read first; 0 for none yet
	where      []fsm.Seq     // by id, its inverse
	lastAcked  fsm.Seq
	lastSeen   fsm.Seq
	digests    map[string]string // by index, as told first
	frames     map[fsm.Seq][32]byte
	holders    map[string]holding // of leases
}

func newTruth(s *site) *truth {
	return &truth{
		s: s, broken: make(chan struct{}), messages: make([]*message, 1), seen: make([]uint64, 1), where: make([]fsm.Seq, 1),
		digests: map[string]string{}, frames: map[fsm.Seq][32]byte{}, holders: map[string]holding{},
	}
}

// violation notes one.
func (t *truth) violation(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violated(format, args...)
}

// violated is violation for those who hold mu.
func (t *truth) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.s.trace.add("ORACLE", "%s", text)
	if len(t.violations) < maxViolations {
		t.violations = append(t.violations, text)
	}
	if len(t.violations) == 1 {
		close(t.broken)
	}
}

// isBroken tells that there was a violation.
func (t *truth) isBroken() bool {
	select {
	case <-t.broken:
		return true
	default:
		return false
	}
}

// sends makes a message of n readings with new ids.
func (t *truth) sends(n int) *message {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := &message{first: uint64(len(t.messages)), n: n, created: time.Now()}
	for range n { // so that the three have the same length: no site has more seqs than readings
		t.messages, t.seen, t.where = append(t.messages, m), append(t.seen, 0), append(t.where, 0)
	}
	return m
}

// answered notes an acknowledgement with the seq of the first reading.
func (t *truth) answered(m *message, seq fsm.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.fate == refused {
		t.violated("reading %d was refused for certain and then acknowledged", m.first)
	}
	if m.fate == acked && m.seq != seq {
		t.violated("reading %d was acknowledged with seq %d and then with %d", m.first, m.seq, seq)
	}
	m.fate, m.seq = acked, seq
	t.lastAcked = max(t.lastAcked, seq+fsm.Seq(m.n)-1)
	for i := range fsm.Seq(m.n) {
		t.saw("an answer", seq+i, m.first+uint64(i))
	}
}

// refuses notes that a message is nowhere, for certain.
func (t *truth) refuses(m *message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.fate = refused
	for i := range uint64(m.n) {
		if seq := t.where[m.first+i]; seq > 0 {
			t.violated("reading %d was refused for certain and is at seq %d", m.first+i, seq)
		}
	}
}

// saw checks that a seq has one reading for ever and a reading one seq. The
// caller holds mu.
func (t *truth) saw(who string, seq fsm.Seq, id uint64) {
	switch {
	case id == 0 || id >= uint64(len(t.messages)):
		t.violated("%s has reading %d at seq %d, which nobody sent", who, id, seq)
		return
	case seq == 0 || uint64(seq) >= uint64(len(t.messages)):
		t.violated("%s has reading %d at seq %d, and %d were sent", who, id, seq, len(t.messages)-1)
		return
	case t.seen[seq] == id:
		return
	case t.seen[seq] != 0:
		t.violated("%s has reading %d at seq %d, where reading %d was read before", who, id, seq, t.seen[seq])
		return
	case t.where[id] != 0:
		t.violated("%s has reading %d at seq %d and it is at seq %d: it is stored twice", who, id, seq, t.where[id])
		return
	case t.messages[id].fate == refused:
		t.violated("%s has reading %d at seq %d, which was refused for certain", who, id, seq)
	}
	t.seen[seq], t.where[id] = id, seq
	t.lastSeen = max(t.lastSeen, seq)
}

// read takes a page of a node's history after a seq.
func (t *truth) read(who string, after fsm.Seq, page []fsm.Reading) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range page {
		x := &page[i]
		if want := after + fsm.Seq(i) + 1; x.Seq != want {
			t.violated("%s has seq %d after %d: there is a hole", who, x.Seq, want-1)
			return
		}
		t.saw(who, x.Seq, idOf(x))
	}
}

// floor is the seq that a linearizable read that begins now has to see.
func (t *truth) floor() fsm.Seq {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastAcked
}

// known is how many readings were sent at all.
func (t *truth) known() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return uint64(len(t.messages)) - 1
}

// digest takes what a node says of its state.
func (t *truth) digest(who string, st cluster.Status) {
	index, hex, ok := strings.Cut(st.Digest, ":")
	if !ok || st.AppliedIndex == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if was, ok := t.digests[index]; ok && was != hex {
		t.violated("%s has digest %s at index %s, another node had %s", who, hex, index, was)
		return
	}
	t.digests[index] = hex
}

// whole checks that the history of a node, which was read in a quiet time up to
// its last seq, is all there is.
func (t *truth) whole(who string, last fsm.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last < t.lastSeen {
		t.violated("%s has %d readings, and seq %d was read or acknowledged before", who, last, t.lastSeen)
	}
	for _, m := range t.messages[1:] {
		if m.fate == acked && m.seq+fsm.Seq(m.n)-1 > last {
			t.violated("%s lacks reading %d, acknowledged with seq %d", who, m.first, m.seq)
			return
		}
	}
}

// holding is a lease as its holder sees it.
type holding struct {
	by    string
	until time.Time
}

// holds notes that by has a lease until a moment.
func (t *truth) holds(name, by string, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.holders[name]
	if was.by != by && time.Now().Before(was.until) {
		t.violated("lease %s went to %s %s before the time of %s was over", name, by, time.Until(was.until), was.by)
	}
	t.holders[name] = holding{by, until}
}

// gives notes that by gives a lease back.
func (t *truth) gives(name, by string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holders[name].by == by {
		delete(t.holders, name)
	}
}

// frame checks that a seq has one frame for ever.
func (t *truth) frame(who string, seq fsm.Seq, sum [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if was, ok := t.frames[seq]; ok && was != sum {
		t.violated("%s has another frame at seq %d than there was before", who, seq)
	}
	t.frames[seq] = sum
}

// wholeFrames checks one node's frames, read in a quiet time.
func (t *truth) wholeFrames(who string, all []fsm.Frame) {
	for i, f := range all {
		if want := fsm.Seq(i) + 1; f.Seq != want {
			t.violation("%s has frame %d after %d: there is a hole", who, f.Seq, want-1)
			return
		}
		t.frame(who, f.Seq, f.SHA256)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for seq := range t.frames {
		if seq > fsm.Seq(len(all)) {
			t.violated("%s has %d frames, and frame %d was acknowledged or read before", who, len(all), seq)
			return
		}
	}
}
