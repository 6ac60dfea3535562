package block

import (
	"errors"
	"sync"
	"time"
)

// exchangeLifetime is EXCHANGE_LIFETIME of RFC 7252 section 4.8.2: no copy of a
// message comes later.
const exchangeLifetime = 247 * time.Second

// ID names a transfer; see the package comment for what it is made of.
type ID [16]byte

// Note is what the caller wants to know of a body that was whole.
type Note [24]byte

// Peer is who sends, as far as sharing of memory goes.
type Peer [16]byte

// UploadLimits bound what clients can make Uploads hold.
type UploadLimits struct {
	Bytes         int           // of all transfers; 4/3 of the largest body at the least
	PeerTransfers int           // of one peer
	Idle          time.Duration // after its last block a transfer ends; at most EXCHANGE_LIFETIME, 247 s
}

// DefaultUploadLimits suit a gateway with 512 MB of RAM.
func DefaultUploadLimits() UploadLimits {
	return UploadLimits{Bytes: 12 << 20, PeerTransfers: 4, Idle: exchangeLifetime}
}

// Validate tells which rule the limits break.
func (l *UploadLimits) Validate() error {
	switch {
	case l.Bytes < openedShare*(transferCost+MaxSize):
		return errors.New("block: Bytes must be at least 6144: a block of 1024 bytes for a transfer that begins")
	case l.PeerTransfers < 1:
		return errors.New("block: PeerTransfers must be at least 1")
	case l.Idle <= 0 || l.Idle > exchangeLifetime:
		return errors.New("block: Idle must be above 0 and at most 247 s, EXCHANGE_LIFETIME")
	}
	return nil
}

// Block is one block of a request.
type Block struct {
	ID      ID
	Peer    Peer
	Option  Option
	Payload []byte
	Size1   uint32 // of the whole body, as the client says; 0 where it does not
	Limit   int    // of the whole body, in bytes: it depends on what the body is for

	// Message is the whole message, which a copy of it shares, and MessageID its
	// id; nil where none comes twice.
	Message   []byte
	MessageID uint16
}

// Kind is what became of a block, and so what to answer.
type Kind uint8

const (
	// Continue: 2.31 with Result.Option.
	Continue Kind = iota
	// Whole: the last block came, and Result.Body is the body. The answer to
	// what was asked goes with Result.Option.
	Whole
	// Again: the last block once more of a body that was handed out and noted
	// by Finish. Result.Note is that note.
	Again
	// Incomplete: 4.08. A block before this one is missing.
	Incomplete
	// TooLarge: 4.13 with the limit as Size1.
	TooLarge
	// Busy: 4.29. There is no place now; what came before is kept.
	Busy
	// Bad: 4.00. The payload has not the length that the option says.
	Bad
)

// Result says what to answer.
type Result struct {
	Kind   Kind
	Option Option // to send back as Block1
	Body   []byte // whole, the caller's own
	Note   Note
}

// Uploads puts request bodies together, strictly in order. It is safe for
// concurrent use.
type Uploads struct {
	limits UploadLimits

	mu        sync.Mutex
	transfers map[ID]*transfer
	peers     map[Peer]*holder
	opened    pool // one block has come
	going     pool // more have
	finished  finished
	taken     taken
}

// NewUploads returns an empty Uploads. It panics where the limits break a rule.
func NewUploads(l UploadLimits) *Uploads {
	if err := l.Validate(); err != nil {
		panic(err)
	}
	u := &Uploads{limits: l, transfers: map[ID]*transfer{}, peers: map[Peer]*holder{}, finished: newFinished(), taken: newTaken()}
	u.opened.limit = l.Bytes / openedShare
	u.going.limit = l.Bytes - u.opened.limit
	return u
}

// Add takes one block that came at now. The payload is copied.
//
// A block that is there already is answered as it was. One with other bytes,
// the first one among them, makes the transfer go on from there: so a client
// that begins anew is understood. A late copy of a block of an earlier body
// changes nothing: its message was taken before, and its id is from before that
// of the block which came last. A client may go on with smaller blocks at any
// time, with larger ones where they begin at a multiple of their size.
func (u *Uploads) Add(now time.Time, b Block) Result {
	if !b.Option.fits(len(b.Payload)) {
		return Result{Kind: Bad}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.expire(now)
	kind, whole := u.add(now, &b)
	if kind == Continue || kind == Whole {
		u.taken.put(&b)
	}
	r := Result{Kind: kind, Option: b.Option, Body: whole}
	if kind == Incomplete {
		if note, ok := u.finished.get(&b, now); ok {
			r.Kind, r.Note = Again, note
		}
	}
	return r
}

func (u *Uploads) add(now time.Time, b *Block) (Kind, []byte) {
	t := u.transfers[b.ID]
	offset, n := b.Option.Offset(), len(b.Payload)
	switch {
	case offset+n > b.Limit || uint64(b.Size1) > uint64(max(0, b.Limit)):
		if t != nil {
			u.drop(t)
		}
		return TooLarge, nil
	case t == nil && offset > 0 || t != nil && offset > t.body.size:
		return Incomplete, nil
	case t != nil && b.Option.More && t.body.has(offset, b.Payload):
		u.touch(t, now)
		return Continue, nil
	case t != nil && u.late(now, t, b):
		if b.Option.More {
			return Continue, nil
		}
		return Incomplete, nil
	case !b.Option.More:
		return Whole, u.finish(now, t, b)
	case offset > 0:
		return u.extend(now, t, b), nil
	case t != nil:
		u.drop(t)
	}
	return u.open(now, b), nil
}

// late tells whether a block is a copy that newer blocks have overtaken. One that
// meets a transfer that is idle may be of a device that was restarted.
func (u *Uploads) late(now time.Time, t *transfer, b *Block) bool {
	return int16(b.MessageID-t.last) < 0 && !t.idle(now) && u.taken.has(b)
}

// finish hands out the body that b ends. A body of one block is not remembered:
// its message is known by itself.
func (u *Uploads) finish(now time.Time, t *transfer, b *Block) []byte {
	offset := b.Option.Offset()
	if t == nil {
		return append([]byte{}, b.Payload...)
	}
	whole := t.body.join(offset, b.Payload)
	u.drop(t)
	if offset > 0 {
		u.finished.put(b, now)
	}
	return whole
}

// Finish notes what a body became that Add handed out as whole. For 250 s, as
// far as memory goes, its last block is answered with Again and the note.
func (u *Uploads) Finish(id ID, note Note) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.finished.note(id, note)
}

// Expire forgets what has been idle for too long. Add does so too.
func (u *Uploads) Expire(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.expire(now)
}

func (u *Uploads) expire(now time.Time) {
	for _, p := range []*pool{&u.opened, &u.going} {
		for e := p.list.Front(); e != nil; e = p.list.Front() {
			t := e.Value.(*transfer)
			if now.Sub(t.touched) < u.limits.Idle {
				break
			}
			u.drop(t)
		}
	}
}

// Load is how many transfers there are, and what they take in bytes.
func (u *Uploads) Load() (transfers, bytes int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.transfers), u.opened.bytes + u.going.bytes
}
