package logstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

var kinds = logstore.Kinds

func open(tb testing.TB, dir string, kind logstore.Kind) *logstore.Store {
	tb.Helper()
	s, err := logstore.Open(logstore.Config{
		Disk: disk.NewOS(dir), Dir: "raft", Kind: kind, Logger: hclog.NewNullLogger(),
		Failed: func(err error) { tb.Errorf("a write failed: %v", err) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// entries are n entries from index first on.
func entries(first uint64, n int) []*raft.Log {
	var logs []*raft.Log
	for i := first; i < first+uint64(n); i++ {
		logs = append(logs, &raft.Log{
			Index: i, Term: 1 + i/10, Type: raft.LogCommand, Data: fmt.Appendf(nil, "entry %d", i),
			Extensions: []byte{byte(i)}, AppendedAt: time.Unix(1_700_000_000, 5).UTC(),
		})
	}
	return logs
}

func wantEntries(tb testing.TB, s raft.LogStore, want []*raft.Log) {
	tb.Helper()
	first, err := s.FirstIndex()
	if err != nil {
		tb.Fatal(err)
	}
	last, err := s.LastIndex()
	if err != nil {
		tb.Fatal(err)
	}
	if first != want[0].Index || last != want[len(want)-1].Index {
		tb.Errorf("the log goes from %d to %d, want %d to %d", first, last, want[0].Index, want[len(want)-1].Index)
	}
	for _, w := range want {
		var got raft.Log
		if err := s.GetLog(w.Index, &got); err != nil {
			tb.Errorf("entry %d: %v", w.Index, err)
			continue
		}
		if got.Index != w.Index || got.Term != w.Term || got.Type != w.Type || !bytes.Equal(got.Data, w.Data) || !bytes.Equal(got.Extensions, w.Extensions) {
			tb.Errorf("entry %d is %+v, want %+v", w.Index, got, w)
		}
	}
}

func TestALogAndItsVotesAreThereWhenOpenedAgain(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, kind)
			if err := errors.Join(
				s.StoreLogs(entries(1, 30)),
				s.Stable.SetUint64([]byte("CurrentTerm"), 7),
				s.Stable.Set([]byte("LastVoteCand"), []byte("a:1")),
				s.Close(),
			); err != nil {
				t.Fatal(err)
			}

			s = open(t, dir, kind)
			wantEntries(t, s, entries(1, 30))
			if term, err := s.Stable.GetUint64([]byte("CurrentTerm")); err != nil || term != 7 {
				t.Errorf("term %d (%v), want 7", term, err)
			}
			if vote, err := s.Stable.Get([]byte("LastVoteCand")); err != nil || string(vote) != "a:1" {
				t.Errorf("vote %q (%v), want a:1", vote, err)
			}
			if err := errors.Join(s.DeleteRange(1, 10), s.DeleteRange(26, 30), s.StoreLogs(entries(26, 2)), s.Close()); err != nil {
				t.Fatal(err)
			}

			s = open(t, dir, kind)
			wantEntries(t, s, entries(11, 17))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestADeletedEntryIsNotFoundAndAnotherMayTakeItsPlace(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			s := open(t, t.TempDir(), kind)
			defer func() { _ = s.Close() }()
			if err := errors.Join(s.StoreLogs(entries(1, 10)), s.DeleteRange(6, 10)); err != nil {
				t.Fatal(err)
			}
			var l raft.Log
			for i := uint64(6); i <= 10; i++ {
				if err := s.GetLog(i, &l); !errors.Is(err, raft.ErrLogNotFound) {
					t.Errorf("entry %d: %q (%v), want raft.ErrLogNotFound", i, l.Data, err)
				}
			}
			other := &raft.Log{Index: 6, Term: 9, Data: []byte("another")}
			if err := s.StoreLog(other); err != nil {
				t.Fatal(err)
			}
			wantEntries(t, s, append(entries(1, 5), other))
		})
	}
}

func TestALogOfTheOtherKindIsRefusedWithWhatToDo(t *testing.T) {
	for i, kind := range kinds {
		other := kinds[(i+1)%len(kinds)]
		dir := t.TempDir()
		if err := open(t, dir, kind).Close(); err != nil {
			t.Fatal(err)
		}
		_, err := logstore.Open(logstore.Config{Disk: disk.NewOS(dir), Dir: "raft", Kind: other, Logger: hclog.NewNullLogger()})
		if err == nil || !strings.Contains(err.Error(), "start with --log-store "+string(kind)) {
			t.Errorf("%s opened as %s: err = %v, want one that says --log-store %s", kind, other, err, kind)
		}
		if err := open(t, dir, kind).Close(); err != nil { // the refusal held nothing open
			t.Fatal(err)
		}
	}
}

func TestAnUnknownKindIsRefusedAndLeavesNothingOpen(t *testing.T) {
	dir := t.TempDir()
	_, err := logstore.Open(logstore.Config{Disk: disk.NewOS(dir), Dir: "raft", Kind: "tape", Logger: hclog.NewNullLogger()})
	if err == nil || !strings.Contains(err.Error(), "use segmented, wal or bolt") {
		t.Errorf("err = %v, want one that names the kinds", err)
	}
	if err := open(t, dir, logstore.WAL).Close(); err != nil {
		t.Fatal(err)
	}
}
