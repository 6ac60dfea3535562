package logstore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"skerry/cluster/logstore"
)

// inner is a log in memory that counts reads and fails on demand.
type inner struct {
	*raft.InmemStore
	reads  int
	broken error
}

func (i *inner) GetLog(index uint64, l *raft.Log) error {
	i.reads++
	return i.InmemStore.GetLog(index, l)
}

func (i *inner) StoreLogs(logs []*raft.Log) error {
	return errors.Join(i.broken, i.InmemStore.StoreLogs(logs))
}

func (i *inner) DeleteRange(low, high uint64) error {
	return errors.Join(i.broken, i.InmemStore.DeleteRange(low, high))
}

func TestTheCacheIsBoundedInBytesAndHoldsTheNewest(t *testing.T) {
	const (
		size = 100 << 10
		n    = 200 // far more than the bound
	)
	in := &inner{InmemStore: raft.NewInmemStore()}
	l := logstore.NewLog(in, nil)
	for i := uint64(1); i <= n; i++ {
		if err := l.StoreLog(&raft.Log{Index: i, Data: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	var e raft.Log
	for i := uint64(n); i >= 1; i-- {
		if err := l.GetLog(i, &e); err != nil || e.Index != i {
			t.Fatalf("entry %d: %d (%v)", i, e.Index, err)
		}
	}
	cached := n - in.reads
	if want := logstore.CacheBytes / size; cached != want {
		t.Errorf("%d entries of %d bytes are in memory, want %d", cached, size, want)
	}
	if got := l.Written(); got != n*size {
		t.Errorf("%d bytes written, want %d", got, n*size)
	}
	// An entry larger than the bound is not kept, and does not stay in the way.
	if err := l.StoreLog(&raft.Log{Index: n + 1, Data: make([]byte, logstore.CacheBytes+1)}); err != nil {
		t.Fatal(err)
	}
	in.reads = 0
	for _, i := range []uint64{n, n + 1} {
		if err := l.GetLog(i, &e); err != nil || e.Index != i {
			t.Errorf("entry %d: %d (%v)", i, e.Index, err)
		}
	}
	if in.reads != 2 {
		t.Errorf("%d reads of the store, want 2", in.reads)
	}
}

func TestTheFirstWriteErrorEndsAllWritesAndIsToldOnce(t *testing.T) {
	for _, c := range []struct {
		name, told string
		write      func(*logstore.Log) error
	}{
		{"of an append", "append to the log: the disk is gone", func(l *logstore.Log) error { return l.StoreLogs(entries(4, 1)) }},
		{"of a deletion", "delete from the log: the disk is gone", func(l *logstore.Log) error { return l.DeleteRange(1, 1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &inner{InmemStore: raft.NewInmemStore()}
			var told []error
			l := logstore.NewLog(in, func(err error) { told = append(told, err) })
			if err := l.StoreLogs(entries(1, 3)); err != nil {
				t.Fatal(err)
			}
			in.broken = errors.New("the disk is gone")
			if err := c.write(l); !errors.Is(err, in.broken) {
				t.Errorf("err = %v, want the store's", err)
			}
			in.broken = nil // as if the disk were back
			for range 2 {
				if l.StoreLogs(entries(4, 1)) == nil || l.DeleteRange(1, 1) == nil {
					t.Error("a write is taken after one failed")
				}
			}
			if !slices.EqualFunc(told, []string{c.told}, func(e error, s string) bool { return e.Error() == s }) {
				t.Errorf("told of %v, want the first error once", told)
			}
			var e raft.Log
			if err := l.GetLog(2, &e); err != nil {
				t.Errorf("entries are not read any more: %v", err)
			}
		})
	}
}

func TestAGapInWhatIsStoredStartsTheCacheAnew(t *testing.T) {
	in := &inner{InmemStore: raft.NewInmemStore()}
	l := logstore.NewLog(in, nil)
	// After an installed snapshot the log goes on behind a hole.
	if err := errors.Join(l.StoreLogs(entries(1, 3)), l.StoreLogs(entries(100, 3))); err != nil {
		t.Fatal(err)
	}
	var e raft.Log
	for _, i := range []uint64{1, 3, 100, 102} {
		if err := l.GetLog(i, &e); err != nil || e.Index != i {
			t.Errorf("entry %d: %d (%v)", i, e.Index, err)
		}
	}
	if err := l.GetLog(50, &e); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("an entry of the hole: %v, want raft.ErrLogNotFound", err)
	}
}

func TestALogOfAnyKindIsEmptiedBeforeASnapshot(t *testing.T) {
	for _, kind := range kinds {
		s := open(t, t.TempDir(), kind)
		if !s.IsMonotonic() {
			t.Errorf("%s: raft keeps entries beyond an installed snapshot", kind)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
