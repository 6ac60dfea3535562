package coap

import (
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
	// maxDecided bounds the fates remembered, in two generations: about 8 MB.
	maxDecided = 64 << 10
)

// decided remembers the fates of messages for a while. The site's window is
// what makes a message stored once; this only keeps the gateway from saying
// "nothing was stored" of a message whose earlier copy was, and answers
// retransmissions without asking the site. The zero value is ready. The
// longest remembered are forgotten first.
type decided struct{ young, old map[fsm.Key]decision }

type decision struct {
	fate    fate
	content uint64
	at      time.Time
}

func (d *decided) get(k fsm.Key, now time.Time) (fate, uint64) {
	known, ok := d.young[k]
	if !ok {
		known, ok = d.old[k]
	}
	age := now.Sub(known.at)
	switch {
	case !ok || age > doubtedFor:
		return wasRefused, 0
	case age > answeredFor:
		return wasUnknown, 0
	}
	return known.fate, known.content
}

func (d *decided) put(k fsm.Key, f fate, content uint64, now time.Time) {
	if d.young == nil || len(d.young) >= maxDecided/2 {
		d.old, d.young = d.young, map[fsm.Key]decision{}
	}
	d.young[k] = decision{f, content, now}
}
