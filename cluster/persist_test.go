package cluster

import (
	"log/slog"
	"testing"

	"skerry/fsm"
)

func TestASnapshotThatCameToNothingIsDueAgain(t *testing.T) {
	r := newReplica(slog.New(slog.DiscardHandler), nil, nil, fsm.NewestLevel, nil)
	r.grown = 1000
	f, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	f.Release() // raft could not make room for it, say
	if got := r.sinceSnapshot(); got != 1000 {
		t.Errorf("%d bytes of log wait for a snapshot, want 1000", got)
	}
}
