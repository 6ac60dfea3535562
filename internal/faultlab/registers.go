package faultlab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// registersEach is how many registers of a kind an epoch has: few, so that
// clients meet, and new ones in each epoch, so that histories are short.
const registersEach = 3

// register is what is read and written under a condition: a document, whose
// version is the site's, or a series, whose version is its latest seq.
type register struct {
	series bool
	name   string
}

// write is an attempt to change a register; read has id 0.
type write struct {
	at      register
	id      uint64 // of what is written
	when    uint64 // the version that it has to have
	absent  bool   // it has to have none
	anyhow  bool   // without a condition
	reading bool
}

// outcome is what became of it.
type outcome struct {
	id      uint64 // read
	version uint64 // read or written
	unmet   bool   // the condition was not met
	unknown bool
}

// operation is one of a history. call and back are moments of a clock that
// ticks at each call and each return.
type operation struct {
	client     int
	in         write
	out        outcome
	call, back int64
}

// histories are of all registers.
type histories struct {
	mu   sync.Mutex
	tick int64
	done []operation
	// refused are the ids of writes that were refused for certain.
	refused map[uint64]bool
}

func (h *histories) now() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tick++
	return h.tick
}

func (h *histories) add(o operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tick++
	o.back = h.tick
	h.done = append(h.done, o)
}

// registers has a client read and write registers of an epoch until ctx is done.
func (s *site) registers(ctx context.Context, epoch, client int) {
	r := s.source(fmt.Sprintf("registers of client %d of epoch %d", client, epoch))
	known := map[register]outcome{} // as this client read it last
	for ctx.Err() == nil {
		sleep(ctx, time.Duration(r.ExpFloat64()*float64(3*time.Second)))
		_, l := s.any(r)
		if l == nil {
			continue
		}
		at := register{series: r.IntN(2) == 0, name: fmt.Sprintf("e%d-%d", epoch, r.IntN(registersEach))}
		if last, ok := known[at]; ok && r.IntN(2) == 0 {
			s.writeRegister(ctx, r, l, client, write{at: at, when: last.version, absent: last.version == 0})
			continue
		}
		if !at.series && r.IntN(8) == 0 {
			s.writeRegister(ctx, r, l, client, write{at: at, anyhow: true})
			continue
		}
		if out, ok := s.readRegister(ctx, l, client, at); ok {
			known[at] = out
		}
	}
}

// readRegister reads, linearizably.
func (s *site) readRegister(ctx context.Context, l *life, client int, at register) (out outcome, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	call := s.histories.now()
	view, err := l.node.View(ctx, cluster.Linearizable)
	if err != nil {
		return out, false
	}
	if at.series {
		if x, there := view.Latest("register", at.name); there {
			out = outcome{id: uint64(x.Value.Number), version: uint64(x.Seq)}
		}
	} else if d, there := view.Document(at.name, fsm.Reported); there {
		out = outcome{id: binary.LittleEndian.Uint64(d.Body), version: d.Version}
	}
	if l.dead.Load() {
		return out, false
	}
	s.counts.add("registers read")
	s.histories.add(operation{client: client, in: write{at: at, reading: true}, out: out, call: call})
	return out, true
}

// writeRegister writes under a condition.
func (s *site) writeRegister(ctx context.Context, r *rand.Rand, l *life, client int, w write) {
	var cmd fsm.Command
	m := &message{}
	if w.at.series {
		m = s.truth.sends(1)
		w.id = m.first
		cmd = seriesWrite(r, w)
	} else {
		w.id = r.Uint64() | 1
		cmd = documentWrite(w)
	}
	ctx, cancel := context.WithTimeout(ctx, within(r, time.Second, 30*time.Second))
	defer cancel()
	call := s.histories.now()
	result, err := l.node.Propose(ctx, cmd)
	out := outcome{unknown: err != nil || l.dead.Load()}
	certain := errors.Is(err, cluster.ErrNoLeader) || errors.Is(err, cluster.ErrOverloaded) || errors.Is(err, cluster.ErrDiskFull) || errors.Is(err, cluster.ErrClosed)
	switch {
	case certain && !l.dead.Load():
		if w.at.series {
			s.truth.refuses(m)
		}
		s.histories.refuse(w.id)
		return
	case out.unknown:
	case result.Outcomes[0].Code == fsm.Stored:
		out.version = uint64(result.Outcomes[0].First)
		if w.at.series {
			s.truth.answered(m, result.Outcomes[0].First)
		}
	case result.Outcomes[0].Code == fsm.Precondition:
		out.unmet = true
		if w.at.series {
			s.truth.refuses(m)
		}
	default:
		s.truth.violation("a write of register %s got code %d: %v", w.at.name, result.Outcomes[0].Code, result.Outcomes[0].Code.Err())
		return
	}
	s.counts.add("registers written")
	s.histories.add(operation{client: client, in: w, out: out, call: call})
}

func seriesWrite(r *rand.Rand, w write) fsm.Command {
	c := &fsm.ConditionalBatch{
		If: fsm.Condition{Device: "register", Resource: w.at.name, Missing: w.absent},
		Batch: fsm.Batch{Items: []fsm.Item{{Records: []fsm.Record{{
			Device: "register", Resource: w.at.name, Relative: true, Value: fsm.NumberValue(float64(w.id)),
		}}}}},
	}
	if !w.absent {
		c.If.Seqs = []fsm.Seq{fsm.Seq(w.when)}
	}
	binary.LittleEndian.PutUint64(c.Batch.Items[0].Key[:], r.Uint64())
	return c
}

func documentWrite(w write) fsm.Command {
	c := fsm.PutDocumentCommand{Device: w.at.name, Kind: fsm.Reported, Format: 42, Body: binary.LittleEndian.AppendUint64(nil, w.id)}
	switch {
	case w.anyhow:
	case w.absent:
		c.IfNone = true
	default:
		c.IfMatch = []uint64{w.when}
	}
	return c
}

func (h *histories) refuse(id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused == nil {
		h.refused = map[uint64]bool{}
	}
	h.refused[id] = true
}
