package coap

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"skerry/coap/datagram"
	"skerry/fsm"
)

// chunk holds the flights of a turn, and the records of those that bring one
// reading. When all are answered it serves another turn: a plain post allocates
// nothing of its own.
type chunk struct {
	flights []flight
	records []fsm.Record
	used    atomic.Int32 // flights that are not answered, and 1 for the desk that fills it
	home    *sync.Pool
}

// chunks are the chunks that wait for a turn, by the logarithm of their size.
type chunks [7]sync.Pool

const _ = uint(1<<(len(chunks{})-1) - datagram.Batch) // the largest holds a whole turn

// get returns an empty chunk for n flights or more, at most datagram.Batch.
func (c *chunks) get(n int) *chunk {
	class := bits.Len(uint(min(max(n, 1), datagram.Batch) - 1))
	home := &c[class]
	k, ok := home.Get().(*chunk)
	if !ok {
		k = &chunk{flights: make([]flight, 0, 1<<class), records: make([]fsm.Record, 0, 1<<class), home: home}
	}
	k.used.Store(1)
	return k
}

// full tells that no flight or no record fits any more.
func (k *chunk) full() bool {
	return len(k.flights) == cap(k.flights) || len(k.records) == cap(k.records)
}

// done ends the use of one flight, or the desk's.
func (k *chunk) done() {
	if k.used.Add(-1) > 0 {
		return
	}
	clear(k.flights)
	clear(k.records)
	k.flights, k.records = k.flights[:0], k.records[:0]
	k.home.Put(k)
}
