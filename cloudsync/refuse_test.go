package cloudsync_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cloudsync"
	"skerry/cluster"
	"skerry/fsm"
)

func TestBucketTakenAwayIsNotWrittenTo(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	leading(s, y)
	s.post(10)
	synced(t, y)
	// What a disk that is not mounted leaves is an empty folder.
	away := root + ".away"
	if err := os.Rename(root, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	s.post(5)
	if err := y.Sync(t.Context()); !errors.Is(err, cloudsync.ErrGone) {
		t.Fatalf("Sync into an emptied bucket = %v, want %v", err, cloudsync.ErrGone)
	}
	if got, _ := s.marks(fsm.Readings); got.Prefix() != 10 {
		t.Errorf("synced up to %d, want 10", got.Prefix())
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, root); err != nil {
		t.Fatal(err)
	}
	s.post(5)
	synced(t, y)
	if r := sound(t, root); r.Tables[fsm.Readings].Rows != 20 {
		t.Errorf("rows = %d, want 20", r.Tables[fsm.Readings].Rows)
	}
}

func TestNothingIsShippedWhileTheNodesStatesDiffer(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	leading(s, y)
	s.post(10)
	synced(t, y)
	sound := func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.alarm = err
	}
	sound(cluster.ErrDiverged)
	s.post(5)
	if err := y.Sync(t.Context()); !errors.Is(err, cluster.ErrDiverged) {
		t.Fatalf("Sync under an alarm = %v, want ErrDiverged", err)
	}
	if got, _ := s.marks(fsm.Readings); got.Prefix() != 10 {
		t.Errorf("synced up to %d, want 10", got.Prefix())
	}
	sound(nil)
	synced(t, y)
	if got, _ := s.marks(fsm.Readings); got.Prefix() != 15 {
		t.Errorf("synced up to %d of %s, want 15", got.Prefix(), root)
	}
}

func TestRottenSegmentIsNotShipped(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	s.post(200)
	s.cut()
	path := filepath.Join(s.dir, "readings-1-200.parquet")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rotten := append([]byte(nil), whole...)
	rotten[len(rotten)/4] ^= 1 // a page of values; the footer stays as it is
	if err := os.WriteFile(path, rotten, 0o644); err != nil {
		t.Fatal(err)
	}
	leading(s, y)
	waitFor(t, y, "the refusal", inState(cloudsync.Retrying))
	if got, _ := s.marks(fsm.Readings); got != nil {
		t.Errorf("synced = %v, want nothing", got)
	}
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	synced(t, y)
	sound(t, root)
}

func TestSyncAtAFollowerEndsWithTheSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, _ := bucketIn(t)
		y := newSyncer(s, "n2", bucket) // does not lead
		s.post(10)
		time.AfterFunc(time.Second, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.noLeader = true
		})
		asked := time.Now()
		if err := y.Sync(t.Context()); !errors.Is(err, cluster.ErrNoLeader) || time.Since(asked) > time.Minute {
			t.Errorf("Sync = %v after %s, want %v within a minute", err, time.Since(asked), cluster.ErrNoLeader)
		}
	})
}
