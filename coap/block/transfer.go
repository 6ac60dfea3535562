package block

import (
	"container/list"
	"time"
)

const (
	// activeFor is how long after its last block a transfer counts as one that
	// goes on: three copies of a block in a row were lost (2, 4 and 8 s).
	activeFor = 15 * time.Second
	// transferCost is what keeping a transfer takes beside its bytes.
	transferCost = 512
	// openedShare is the part of the memory for transfers of which one block
	// has come: one in openedShare.
	openedShare = 4
	// maxLook bounds the search for a transfer that makes place.
	maxLook = 64
)

// transfer is a body that is not whole. It is in one pool, and in its holder.
type transfer struct {
	id      ID
	holder  *holder
	body    body
	touched time.Time
	last    uint16 // id of the message that brought the last block
	pool    *pool
	place   *list.Element // in pool
}

func (t *transfer) cost() int { return transferCost + t.body.held }

// idle tells that its client seems to be gone.
func (t *transfer) idle(now time.Time) bool { return now.Sub(t.touched) >= activeFor }

// holder is a peer with transfers.
type holder struct {
	peer      Peer
	transfers []*transfer
	bytes     int
}

// pool is transfers that share a budget, the longest idle first.
type pool struct {
	list  list.List
	bytes int // of all its transfers, bytes <= limit
	limit int
}

// open begins a transfer with its first block.
func (u *Uploads) open(now time.Time, b *Block) Kind {
	h := u.peers[b.Peer]
	if h == nil {
		h = &holder{peer: b.Peer}
	}
	if len(h.transfers) >= u.limits.PeerTransfers {
		own := h.longestIdle()
		if !own.idle(now) {
			return Busy
		}
		u.drop(own)
	}
	t := &transfer{id: b.ID, holder: h, touched: now, last: b.MessageID}
	cost := transferCost + t.body.need(len(b.Payload))
	held := h.bytes
	yields := func(v *transfer) bool { return v.idle(now) || v.holder.bytes >= held }
	if !u.makeRoom(&u.opened, cost, yields) {
		return Busy
	}
	t.body.append(b.Payload)
	u.transfers[t.id] = t
	u.peers[h.peer] = h // it may have gone with its last transfer
	h.transfers = append(h.transfers, t)
	h.bytes += cost
	u.opened.take(t)
	return Continue
}

// extend adds a block to what came before it. What came of another body behind
// the block's begin goes first, even where there is no place for the block: the
// next one must not be put after it.
func (u *Uploads) extend(now time.Time, t *transfer, b *Block) Kind {
	u.resize(t, func() { t.body.cut(b.Option.Offset()) })
	h, cost := t.holder, t.body.need(len(b.Payload))
	after := h.bytes + cost
	if t.pool == &u.opened {
		cost += t.cost()
	}
	yields := func(v *transfer) bool { return v != t && (v.idle(now) || v.holder.bytes/2 > after) }
	if !u.makeRoom(&u.going, cost, yields) {
		return Busy
	}
	t.pool.remove(t)
	u.going.take(t)
	t.touched, t.last = now, b.MessageID
	u.resize(t, func() { t.body.append(b.Payload) })
	return Continue
}

// resize changes the memory that a transfer takes.
func (u *Uploads) resize(t *transfer, change func()) {
	was := t.cost()
	change()
	t.holder.bytes += t.cost() - was
	t.pool.bytes += t.cost() - was
}

// touch notes that a client is still there.
func (u *Uploads) touch(t *transfer, now time.Time) {
	t.touched = now
	t.pool.list.MoveToBack(t.place)
}

// drop forgets a transfer.
func (u *Uploads) drop(t *transfer) {
	delete(u.transfers, t.id)
	t.pool.remove(t)
	h := t.holder
	h.bytes -= t.cost()
	for i, own := range h.transfers {
		if own == t {
			h.transfers = append(h.transfers[:i], h.transfers[i+1:]...)
			break
		}
	}
	if len(h.transfers) == 0 {
		delete(u.peers, h.peer)
	}
}

func (h *holder) longestIdle() *transfer {
	oldest := h.transfers[0]
	for _, t := range h.transfers {
		if t.touched.Before(oldest.touched) {
			oldest = t
		}
	}
	return oldest
}

func (p *pool) take(t *transfer) {
	t.pool, t.place = p, p.list.PushBack(t)
	p.bytes += t.cost()
}

func (p *pool) remove(t *transfer) {
	p.list.Remove(t.place)
	p.bytes -= t.cost()
}

// makeRoom drops transfers of a pool that yield, the longest idle first, until
// bytes more fit. It is false where that is not enough.
func (u *Uploads) makeRoom(p *pool, bytes int, yields func(*transfer) bool) bool {
	if bytes > p.limit {
		return false
	}
	for p.bytes > p.limit-bytes {
		victim := p.first(yields)
		if victim == nil {
			return false
		}
		u.drop(victim)
	}
	return true
}

// first is the longest idle transfer that yields, of the first maxLook.
func (p *pool) first(yields func(*transfer) bool) *transfer {
	e := p.list.Front()
	for range maxLook {
		if e == nil {
			return nil
		}
		if t := e.Value.(*transfer); yields(t) {
			return t
		}
		e = e.Next()
	}
	return nil
}
