package coap

import (
	"encoding/binary"
	"time"

	"skerry/fsm"
)

// fate is what became of a message, as far as this gateway knows.
type fate uint8

const (
	wasRefused fate = iota // nothing of it was stored; the zero value: nothing is known
	wasStored
	wasUnknown // it was sent and may have been stored
)

const (
	// answeredFor is how long a stored message is answered from memory. The
	// site forgets keys after 120 s at the earliest, so this is its own answer.
	answeredFor = 110 * time.Second
	// doubtedFor is how long after that an earlier copy is reckoned with: the
	// site's window in full.
	doubtedFor = 250 * time.Second
	// maxDecided bounds the stored messages remembered, 2 MB of them, and
	// maxDoubted those of unknown fate, 2 MB in two generations.
	maxDecided = 64 << 10
	maxDoubted = 16 << 10
)

// decided remembers the fates of messages for a while. The site's window is
// what makes a message stored once; this only keeps the gateway from saying
// "nothing was stored" of a message whose earlier copy was, and answers
// retransmissions without asking the site. The zero value is ready. The many
// that were stored do not push out the few that are in doubt.
type decided struct {
	stored  storedSet
	doubted generations
}

func (d *decided) get(k fsm.Key, now time.Time) (fate, uint64) {
	if age, content, ok := d.stored.get(k, now); ok && age <= answeredFor {
		return wasStored, content
	} else if ok && age <= doubtedFor {
		return wasUnknown, 0
	}
	if at, ok := d.doubted.get(k); ok && now.Sub(at) <= doubtedFor {
		return wasUnknown, 0
	}
	return wasRefused, 0
}

func (d *decided) put(k fsm.Key, f fate, content uint64, now time.Time) {
	if f == wasStored {
		d.stored.put(k, content, now)
	} else {
		d.doubted.put(k, now, maxDoubted/2)
	}
}

// Each reading passes storedSet twice, so it is made for the processor's cache: a
// key has storedWays places, of which the oldest is taken next. Sixteen bits of
// each place's key lie in a table of their own, 128 KiB, and nearly always they
// say that a new key is not there.
const (
	storedWays = 4
	storedSets = maxDecided / storedWays
	storedBits = 14 // log2 of storedSets
)

// storedSet are keys of stored messages, some of them. The zero value is ready.
type storedSet struct {
	begin time.Time
	tags  [][storedWays]uint16     // storedSets of each, once there is a key
	next  []uint8                  // the place that is taken next
	slots [][storedWays]storedSlot // a tag counts only where its slot holds the key
}

type storedSlot struct {
	key     fsm.Key
	content uint64
	at      time.Duration // since a nanosecond before begin; 0 for an empty slot
}

// find returns the set of a key, its tag, and its place, storedWays for none.
func (s *storedSet) find(k *fsm.Key) (set uint64, tag uint16, place int) {
	const spread = 0x9e3779b97f4a7c15 // the golden ratio of 2^64
	mixed := binary.LittleEndian.Uint64(k[:8]) * spread
	set, tag = mixed>>(64-storedBits), uint16(mixed>>32)
	tags := &s.tags[set]
	for place = range tags {
		if tags[place] == tag && s.slots[set][place].key == *k && s.slots[set][place].at != 0 {
			return set, tag, place
		}
	}
	return set, tag, storedWays
}

func (s *storedSet) get(k fsm.Key, now time.Time) (age time.Duration, content uint64, ok bool) {
	if s.tags == nil {
		return 0, 0, false
	}
	set, _, place := s.find(&k)
	if place == storedWays {
		return 0, 0, false
	}
	slot := &s.slots[set][place]
	return now.Sub(s.begin) + 1 - slot.at, slot.content, true
}

func (s *storedSet) put(k fsm.Key, content uint64, now time.Time) {
	if s.tags == nil {
		s.begin, s.next = now, make([]uint8, storedSets)
		s.tags, s.slots = make([][storedWays]uint16, storedSets), make([][storedWays]storedSlot, storedSets)
	}
	set, tag, place := s.find(&k)
	if place == storedWays {
		place = int(s.next[set])
		s.next[set] = uint8(place+1) % storedWays
	}
	s.tags[set][place] = tag
	s.slots[set][place] = storedSlot{k, content, max(1, now.Sub(s.begin)+1)}
}

// generations are keys with times, of which the longest remembered are
// forgotten first.
type generations struct{ young, old map[fsm.Key]time.Time }

func (g *generations) get(k fsm.Key) (time.Time, bool) {
	at, ok := g.young[k]
	if !ok {
		at, ok = g.old[k]
	}
	return at, ok
}

func (g *generations) put(k fsm.Key, at time.Time, limit int) {
	if g.young == nil || len(g.young) >= limit {
		g.old, g.young = g.young, map[fsm.Key]time.Time{}
	}
	g.young[k] = at
}
