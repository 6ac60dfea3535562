package device

import (
	"errors"
	"sync"
	"sync/atomic"

	"skerry/fsm"
)

// MaxLedger bounds the readings a ledger holds, about 120 bytes each.
const MaxLedger = 2 << 20

// ErrLedgerFull: MaxLedger readings are written down, so that no more may be
// sent that could not be accounted for.
var ErrLedgerFull = errors.New("the ledger of sent readings is full")

// Fate is what a device knows of a message it sent.
type Fate uint8

const (
	Pending Fate = iota // no answer yet
	Acked               // answered 2.xx: it must be in the history, once
	Refused             // answered for good that it is not stored
)

// Ledger is the list that devices keep of what they sent and what was answered.
// It may be used by many goroutines.
//
// A reading is known again in a history by device, resource, time and value,
// without its time where the device has no clock. Readings that agree in all of
// these are counted, not told apart.
type Ledger struct {
	sent, acked, refused atomic.Int64 // readings

	mu      sync.Mutex
	entries []*Entry
	size    int // readings in entries
}

// Entry is one message in a ledger.
type Entry struct {
	ID       string // the KEY of ?id=
	Readings []Reading
	fate     atomic.Uint32
	ledger   *Ledger
}

// Open writes a message down before its first copy is sent. It fails with
// ErrLedgerFull. The slice is the ledger's from then on.
func (l *Ledger) Open(id string, readings []Reading) (*Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size+len(readings) > MaxLedger {
		return nil, ErrLedgerFull
	}
	e := &Entry{ID: id, Readings: readings, ledger: l}
	l.entries = append(l.entries, e)
	l.size += len(readings)
	l.sent.Add(int64(len(readings)))
	return e, nil
}

// Settle writes down the answer. The first one counts.
func (e *Entry) Settle(f Fate) {
	if !e.fate.CompareAndSwap(uint32(Pending), uint32(f)) {
		return
	}
	switch f {
	case Acked:
		e.ledger.acked.Add(int64(len(e.Readings)))
	case Refused:
		e.ledger.refused.Add(int64(len(e.Readings)))
	}
}

// Fate is what is known of the message by now.
func (e *Entry) Fate() Fate { return Fate(e.fate.Load()) }

// Counts are numbers of readings.
type Counts struct {
	Sent    int64 `json:"sent"`
	Acked   int64 `json:"acked"`
	Refused int64 `json:"refused"`
}

// Counts may be called at any time and is cheap.
func (l *Ledger) Counts() Counts {
	return Counts{Sent: l.sent.Load(), Acked: l.acked.Load(), Refused: l.refused.Load()}
}

// mark is by what a reading is known again.
type mark struct {
	device, resource, unit string
	time                   int64 // 0 of a device without a clock
	kind                   fsm.Kind
	number                 float64
	flag                   bool
	text                   string
}

func markOf(device, resource, unit string, time int64, v fsm.Value) mark {
	return mark{device, resource, unit, time, v.Kind, v.Number, v.Flag, v.Text}
}
