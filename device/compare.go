package device

import (
	"fmt"
	"iter"
	"time"

	"skerry/fsm"
)

// MaxDetails bounds the lines of a report that name single readings.
const MaxDetails = 20

// Report is what a comparison of a ledger with one history found, in readings.
type Report struct {
	Acked      int `json:"acked"`
	Found      int `json:"found"`      // of the ledger's readings, duplicates too
	Lost       int `json:"lost"`       // acknowledged, and not in the history
	Duplicates int `json:"duplicates"` // in the history more often than sent
	Ghosts     int `json:"ghosts"`     // refused for good, and in the history
	Unanswered int `json:"unanswered"` // without an answer, in the history or not
	Foreign    int `json:"foreign"`    // in the history, not of this ledger
	// Details name the first of the readings that are wrong.
	Details []string `json:"details,omitempty"`
}

// OK reports that nothing is wrong.
func (r Report) OK() bool { return r.Lost == 0 && r.Duplicates == 0 && r.Ghosts == 0 }

// tally is how often a reading was sent, by fate, and found.
type tally struct {
	fates [3]int // by Fate
	found int
	id    string // of one message that held it
}

// Compare holds the history of one node, in any order, against the ledger. A
// message without an answer may be in the history once or not at all. Derived
// readings and those of other senders are foreign.
func (l *Ledger) Compare(history iter.Seq[fsm.Reading]) Report {
	var rep Report
	tallies := l.tallies()
	for r := range history {
		t := tallies[markOf(r.Device, r.Resource, r.Unit, r.Time, r.Value)]
		if t == nil {
			t = tallies[markOf(r.Device, r.Resource, r.Unit, 0, r.Value)]
		}
		if t == nil {
			rep.Foreign++
			continue
		}
		rep.Found++
		t.found++
	}
	for m, t := range tallies {
		rep.judge(m, t)
	}
	return rep
}

// tallies counts the ledger's readings.
func (l *Ledger) tallies() map[mark]*tally {
	l.mu.Lock()
	entries := l.entries[:len(l.entries):len(l.entries)]
	tallies := make(map[mark]*tally, l.size)
	l.mu.Unlock()
	for _, e := range entries {
		f := e.Fate()
		for _, r := range e.Readings {
			m := markOf(r.Device, r.Resource, r.Unit, r.Time, r.Value)
			t := tallies[m]
			if t == nil {
				t = &tally{id: e.ID}
				tallies[m] = t
			}
			t.fates[f]++
		}
	}
	return tallies
}

// judge adds what one reading's tally means.
func (r *Report) judge(m mark, t *tally) {
	acked, pending, refused := t.fates[Acked], t.fates[Pending], t.fates[Refused]
	r.Acked += acked
	r.Unanswered += pending
	if missing := acked - t.found; missing > 0 {
		r.Lost += missing
		r.detail("lost", m, t)
	}
	extra := t.found - acked - pending
	if ghosts := min(extra, refused); ghosts > 0 {
		r.Ghosts += ghosts
		extra -= ghosts
		r.detail("refused, yet stored", m, t)
	}
	if extra > 0 {
		r.Duplicates += extra
		r.detail("duplicate", m, t)
	}
}

func (r *Report) detail(what string, m mark, t *tally) {
	if len(r.Details) >= MaxDetails {
		return
	}
	at := "no clock"
	if m.time != 0 {
		at = time.UnixMicro(m.time).UTC().Format(time.RFC3339Nano)
	}
	v := fsm.Value{Kind: m.kind, Number: m.number, Flag: m.flag, Text: m.text}
	r.Details = append(r.Details, fmt.Sprintf("%s: %s/%s = %s at %s, id %s, found %d times",
		what, m.device, m.resource, v, at, t.id, t.found))
}
