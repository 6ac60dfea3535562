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
	// maxDecided bounds the stored messages remembered, and maxDoubted those of
	// unknown fate, each in two generations: about 8 MB and 2 MB.
	maxDecided = 64 << 10
	maxDoubted = 16 << 10
)

// decided remembers the fates of messages for a while. The site's window is
// what makes a message stored once; this only keeps the gateway from saying
// "nothing was stored" of a message whose earlier copy was, and answers
// retransmissions without asking the site. The zero value is ready. The
// longest remembered are forgotten first; the many that were stored do not
// push out the few that are in doubt.
type decided struct{ stored, doubted generations }

type generations struct{ young, old map[fsm.Key]decision }

type decision struct {
	content uint64
	at      time.Time
}

func (d *decided) get(k fsm.Key, now time.Time) (fate, uint64) {
	if known, ok := d.stored.get(k); ok && now.Sub(known.at) <= answeredFor {
		return wasStored, known.content
	} else if ok && now.Sub(known.at) <= doubtedFor {
		return wasUnknown, 0
	}
	if known, ok := d.doubted.get(k); ok && now.Sub(known.at) <= doubtedFor {
		return wasUnknown, 0
	}
	return wasRefused, 0
}

func (d *decided) put(k fsm.Key, f fate, content uint64, now time.Time) {
	if f == wasStored {
		d.stored.put(k, decision{content, now}, maxDecided/2)
	} else {
		d.doubted.put(k, decision{content, now}, maxDoubted/2)
	}
}

func (g *generations) get(k fsm.Key) (decision, bool) {
	known, ok := g.young[k]
	if !ok {
		known, ok = g.old[k]
	}
	return known, ok
}

func (g *generations) put(k fsm.Key, d decision, limit int) {
	if g.young == nil || len(g.young) >= limit {
		g.old, g.young = g.young, map[fsm.Key]decision{}
	}
	g.young[k] = d
}
