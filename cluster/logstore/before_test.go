package logstore_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

// before makes a directory as skerry kept it before it had stores of its own,
// with the same as filledDir.
func before(tb testing.TB, kind logstore.Kind) disk.Disk {
	tb.Helper()
	dir := tb.TempDir()
	at := filepath.Join(dir, "raft")
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(at, "wal"), 0o750))
	stable, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(at, "stable.bolt")})
	must(err)
	must(errors.Join(stable.SetUint64(keyTerm, 100), stable.SetUint64(keyVoteTerm, 100), stable.Set(keyCandidate, []byte("b:1")), stable.Close()))
	var log interface {
		raft.LogStore
		io.Closer
	}
	if kind == logstore.WAL {
		log, err = wal.Open(filepath.Join(at, "wal"), wal.WithLogger(hclog.NewNullLogger()))
	} else {
		must(os.Remove(filepath.Join(at, "wal")))
		log, err = raftboltdb.New(raftboltdb.Options{Path: filepath.Join(at, "log.bolt")})
	}
	must(err)
	must(errors.Join(log.StoreLogs(entries(1, 60)), log.DeleteRange(1, 10), log.Close()))
	files, err := raft.NewFileSnapshotStoreWithLogger(at, 2, hclog.NewNullLogger())
	must(err)
	_, trans := raft.NewInmemTransport("")
	sink, err := files.Create(1, 15, 2, raft.Configuration{}, 1, trans)
	must(err)
	_, err = io.WriteString(sink, "state")
	must(errors.Join(err, sink.Close()))
	return disk.NewOS(dir)
}

func TestADirectoryOfAnEarlierSkerryOpensAsItIsAndKeepsItsVote(t *testing.T) {
	for _, kind := range []logstore.Kind{logstore.WAL, logstore.Bolt} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			ended := false
			for cut := 0; !ended && !t.Failed(); cut++ {
				d := before(t, kind)
				s, err := logstore.Open(onDisk(&failing{d, cut}))
				if ended = err == nil; ended {
					_ = s.Close()
				}
				wantWhole(t, d, kind, entries(1, 60)[10:])
				if _, err := os.Stat(d.Path("raft/stable.bolt")); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("cut before change %d: the old votes are still there (%v)", cut, err)
				}
			}
		})
	}
}

func TestADirectoryOfAnEarlierSkerryThatLostItsVotesIsErrVotes(t *testing.T) {
	d := before(t, logstore.WAL)
	if err := os.Remove(d.Path("raft/stable.bolt")); err != nil {
		t.Fatal(err)
	}
	if s, err := logstore.Open(onDisk(d)); !errors.Is(err, logstore.ErrVotes) {
		t.Errorf("err = %v, want ErrVotes", err)
		if err == nil {
			_ = s.Close()
		}
	}
}
