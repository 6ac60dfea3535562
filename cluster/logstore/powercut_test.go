package logstore_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

// smallSegment makes a segment of few records: 8 KiB are heads.
const smallSegment = 12 << 10

func openOn(d disk.Disk) (*logstore.Store, error) {
	return logstore.Open(logstore.Config{
		Disk: d, Dir: "raft", Kind: logstore.Segmented, Logger: hclog.NewNullLogger(), SegmentBytes: smallSegment,
	})
}

// held is what a log holds: entries by index, from first to last.
type held struct {
	first, last uint64
	entries     map[uint64]*raft.Log
	term        uint64 // the votes'
}

func (h held) clone() held {
	h.entries = maps.Clone(h.entries)
	return h
}

// work is a workload on a store and what it has been told.
type work struct {
	r      *rand.Rand
	acked  held // what the store has acknowledged
	trying held // what it will hold when the call under way is acknowledged
}

func newWork(seed uint64) *work {
	return &work{r: rand.New(rand.NewPCG(seed, 1)), acked: held{first: 1, entries: map[uint64]*raft.Log{}}}
}

// do does one thing to the store.
func (w *work) do(s *logstore.Store) error {
	w.trying = w.acked.clone()
	a, next := w.acked, &w.trying
	var err error
	switch n := w.r.IntN(20); {
	case n < 11 || a.last < a.first: // append
		var logs []*raft.Log
		for range 1 + w.r.IntN(6) {
			next.last++
			e := &raft.Log{Index: next.last, Term: a.term, Data: make([]byte, w.size())}
			for i := range e.Data {
				e.Data[i] = byte(w.r.Uint32())
			}
			logs = append(logs, e)
			next.entries[e.Index] = e
		}
		err = s.StoreLogs(logs)
	case n < 14: // a conflict
		low := a.first + w.r.Uint64N(a.last-a.first+1)
		if low == a.first {
			return nil
		}
		w.cutEnd(low)
		err = s.DeleteRange(low, a.last)
	case n < 16: // after a snapshot
		high := a.first + w.r.Uint64N(a.last-a.first+1)
		if high == a.last {
			return nil
		}
		next.first = high + 1
		err = s.DeleteRange(a.first, high)
	case n < 17: // after a leader's snapshot
		err = s.DeleteRange(a.first, a.last)
		w.cutEnd(a.first)
		next.last += w.r.Uint64N(20)
		next.first = next.last + 1
	case n < 19: // an election
		next.term++
		err = s.Stable.SetUint64([]byte("CurrentTerm"), next.term)
	default:
		time.Sleep(2 * logstore.HintWithin)
	}
	if err == nil {
		w.acked = w.trying.clone()
	}
	return err
}

// size is an entry's: often the same, so that what a torn batch left may fit
// behind what comes after it.
func (w *work) size() int {
	if w.r.IntN(4) > 0 {
		return 400
	}
	return w.r.IntN(900)
}

// cutEnd takes the entries from low on out of what is held next.
func (w *work) cutEnd(low uint64) {
	maps.DeleteFunc(w.trying.entries, func(i uint64, _ *raft.Log) bool { return i >= low })
	w.trying.last = low - 1
}

// check compares a store with what it acknowledged, and returns what is wrong.
func (w *work) check(s *logstore.Store) error {
	if r := s.Recovery(); r.Damaged {
		return fmt.Errorf("it says it is damaged: %s", r.Reason)
	}
	if term, err := s.Stable.GetUint64([]byte("CurrentTerm")); w.acked.term > 0 && (err != nil || term < w.acked.term || term > w.trying.term) {
		return fmt.Errorf("the term is %d (%w), want %d or %d", term, err, w.acked.term, w.trying.term)
	}
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	if first > w.acked.first && first > w.trying.first {
		return fmt.Errorf("the log begins at %d, want %d", first, w.acked.first)
	}
	var got []*raft.Log
	for i := first; i <= last && i > 0; i++ {
		e := new(raft.Log)
		if err := s.GetLog(i, e); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		got = append(got, e)
	}
	as := w.same(got, w.acked, true)
	if as == nil || w.same(got, w.trying, false) == nil {
		return nil
	}
	return fmt.Errorf("%w (acknowledged %d to %d, trying %d to %d)", as, w.acked.first, w.acked.last, w.trying.first, w.trying.last)
}

// same compares entries with what is to be held. With more, there may be more of
// what is being stored at the end. What was dropped at the beginning may be
// there, and then is what it was.
func (w *work) same(got []*raft.Log, want held, more bool) error {
	last := want.last
	if more && w.trying.last > last && w.trying.first <= last+1 {
		last = w.trying.last
	}
	have := want.first - 1
	for _, e := range got {
		x, ok := want.entries[e.Index]
		if !ok && more {
			x, ok = w.trying.entries[e.Index]
		}
		if !ok || e.Index > last {
			return fmt.Errorf("entry %d is there again", e.Index)
		}
		if x.Term != e.Term || !bytes.Equal(x.Data, e.Data) {
			return fmt.Errorf("entry %d is another", e.Index)
		}
		have = e.Index
	}
	if have < want.last {
		return fmt.Errorf("the log ends at %d, want %d", have, want.last)
	}
	return nil
}

// until works on the disk until the power goes, or n things are done.
func (w *work) until(d disk.Disk, n int) error {
	s, err := openOn(d)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	for range n {
		if err := w.do(s); err != nil {
			return err
		}
		synctest.Wait()
	}
	return s.Close()
}

// verify opens what a cut left, is itself cut once on the way, and then checks
// the log, works on, and checks it again.
func (w *work) verify(t *testing.T, what string, left *tape, keep func() bool) {
	t.Helper()
	left.cutAt = 1 + w.r.IntN(12)
	if s, err := openOn(left); err == nil {
		_ = s.Close()
	}
	left = left.left(keep)
	for range 3 {
		s, err := openOn(left)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		if err := w.check(s); err != nil {
			t.Errorf("%s: %v", what, err)
			_ = s.Close()
			return
		}
		// What was on the way has happened or not; from here on it is known.
		w.settle(s)
		for range 5 {
			if err := w.do(s); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.trying = w.acked.clone()
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// settle takes over what the store holds.
func (w *work) settle(s *logstore.Store) {
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	all := maps.Clone(w.trying.entries)
	maps.Copy(all, w.acked.entries)
	h := held{first: w.acked.first, last: w.acked.last, entries: map[uint64]*raft.Log{}}
	if last > 0 {
		h.first, h.last = first, last
	} else if w.acked.last >= w.acked.first { // all was deleted
		h.first, h.last = w.trying.first, w.trying.last
	}
	for i := first; i <= last && i > 0; i++ {
		e := new(raft.Log)
		if s.GetLog(i, e) == nil {
			h.entries[i] = e
		}
	}
	h.term, _ = s.Stable.GetUint64([]byte("CurrentTerm"))
	w.acked, w.trying = h, h.clone()
}

// Every step of a workload is one before which the power may go.
func TestAPowerCutBeforeAnyStepLosesNothingAndBringsNothingBack(t *testing.T) {
	const things = 80
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	stride := 1
	if testing.Short() {
		stride = 7
	}
	for _, tear := range slices.Sorted(maps.Keys(tears)) {
		t.Run(tear, func(t *testing.T) {
			for cut, end := 1, false; !end && !t.Failed(); cut += stride {
				synctest.Test(t, func(t *testing.T) {
					d := newTape()
					d.cutAt = cut
					w := newWork(seed)
					err := w.until(d, things)
					if end = err == nil; end {
						return
					}
					if d.count() < cut {
						t.Errorf("cut %d: %v before it", cut, err)
					}
					keep := tears[tear](w.r)
					w.verify(t, fmt.Sprintf("seed %d, cut %d, %s kept", seed, cut, tear), d.left(keep), keep)
				})
			}
		})
	}
}
