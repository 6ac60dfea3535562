package logstore

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"sync"
	"time"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/slots"
)

const (
	hintFile = "hint"
	// hintDistance has both slots in pages of their own.
	hintDistance = 2048
	hintHead     = 20
	maxReason    = 200

	flagLost = 1

	// HintEvery is how long appends may go unhinted where they are many, and
	// HintWithin where they are fewer than hintEntries: a hint takes a page of
	// flash, as an entry does, and an entry that another one follows is known to
	// be owed without it.
	HintEvery   = time.Second
	HintWithin  = 30 * time.Second
	hintEntries = 64
)

// hintValue is what the hint says.
type hintValue struct {
	last  uint64 // the log is durable up to here; 0 owes nothing
	first uint64 // entries before are not wanted
	lost  bool   // entries that were acknowledged are missing and have not come back
	why   string // of lost
}

func (v hintValue) encode() []byte {
	b, le := make([]byte, hintHead), binary.LittleEndian
	le.PutUint64(b, v.last)
	le.PutUint64(b[8:], v.first)
	if v.lost {
		le.PutUint32(b[16:], flagLost)
	}
	return append(b, v.why[:min(len(v.why), maxReason)]...)
}

func decodeHint(b []byte) (v hintValue, err error) {
	if len(b) < hintHead || len(b) > hintHead+maxReason {
		return v, errHint
	}
	le := binary.LittleEndian
	v = hintValue{last: le.Uint64(b), first: le.Uint64(b[8:]), lost: le.Uint32(b[16:])&flagLost != 0, why: string(b[hintHead:])}
	return v, nil
}

var errHint = errors.New("the hint of the log's end is damaged")

// hint keeps the file. Its writes have a turn, a channel for the reason that
// segmented.Log has one.
type hint struct {
	file    *slots.File
	guard   *guard
	every   time.Duration
	turn    chan struct{}
	written hintValue // what the file says; the turn's

	wake    chan struct{} // capacity 1: something was appended
	ended   chan struct{}
	keeping sync.WaitGroup

	mu   sync.Mutex
	want hintValue // what may be written
}

// foundHint is the hint that was on disk; file is nil where there is none, or
// none to trust.
type foundHint struct {
	file  *slots.File
	value hintValue
}

// openHint reads the hint.
func openHint(d disk.Disk, name string) (h foundHint, err error) {
	f, err := slots.Open(d, name, hintDistance)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, slots.ErrDamaged):
		return h, nil
	case err != nil:
		return h, err
	}
	v, err := decodeHint(f.Value())
	if err != nil {
		return h, f.Close()
	}
	return foundHint{f, v}, nil
}

// close closes the file, where there is one.
func (h foundHint) close() error {
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}

func newHint(f *slots.File, v hintValue, g *guard, every time.Duration) *hint {
	return &hint{
		file: f, guard: g, every: every, written: v, want: v,
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// raise notes that the log is durable up to last; it is written soon.
func (h *hint) raise(last uint64) {
	h.change(func(v *hintValue) { v.last = max(v.last, last) })
}

// drop notes that entries before first are not wanted; it is written soon.
func (h *hint) drop(first uint64) {
	h.change(func(v *hintValue) { v.first = max(v.first, first) })
}

func (h *hint) change(f func(*hintValue)) {
	h.mu.Lock()
	f(&h.want)
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// lower makes it durable that no entry after last is owed.
func (h *hint) lower(last uint64) error {
	h.mu.Lock()
	h.want.last = min(h.want.last, last)
	h.mu.Unlock()
	return h.write()
}

// found makes it durable that all lost entries are there again.
func (h *hint) found() error {
	h.mu.Lock()
	h.want.lost, h.want.why = false, ""
	h.mu.Unlock()
	return h.write()
}

// write writes what is wanted now, if the file says something else.
func (h *hint) write() error {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	h.mu.Lock()
	want := h.want
	h.mu.Unlock()
	if want == h.written {
		return nil
	}
	if err := h.file.Set(want.encode()); err != nil {
		return err
	}
	h.written = want
	return nil
}

// check reads the file again and writes anew what has rotted of it.
func (h *hint) check() (mended bool, err error) {
	h.turn <- struct{}{}
	defer func() { <-h.turn }()
	return h.file.Check()
}

// keep is the worker that writes the hint, until ended is closed.
func (h *hint) keep() {
	for {
		select {
		case <-h.wake:
		case <-h.ended:
			return
		}
		if !h.pause() {
			return
		}
		if h.guard.write("write the hint of the log's end", h.write) != nil {
			return // it was told
		}
	}
}

// pause returns when the hint is to be written; false is the end.
func (h *hint) pause() bool {
	soon, late := time.NewTimer(h.every), time.NewTimer(max(HintWithin, h.every))
	defer soon.Stop()
	defer late.Stop()
	select {
	case <-soon.C:
	case <-h.ended:
		return false
	}
	for h.unhinted() < hintEntries {
		select {
		case <-h.wake:
		case <-late.C:
			return true
		case <-h.ended:
			return false
		}
	}
	return true
}

// unhinted is how many entries the file does not know of.
func (h *hint) unhinted() uint64 {
	h.turn <- struct{}{}
	written := h.written.last
	<-h.turn
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.want.last - min(h.want.last, written)
}

// close writes the hint a last time, unless a write failed.
func (h *hint) close() error {
	close(h.ended)
	h.keeping.Wait()
	var err error
	if !h.guard.broken.Load() {
		err = h.write()
	}
	return errors.Join(err, h.file.Close())
}
