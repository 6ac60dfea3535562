package cloudsync_test

import (
	"errors"
	"testing"

	"skerry/cloudsync"
	"skerry/fsm"
)

// restored is the site as of its first n readings, all closed and in the bucket,
// with a history of its own from there on.
func restored(s *site, n int) *site {
	r := newSite(s.tb)
	r.post(n)
	r.cut()
	r.incarnation, r.origins = s.incarnation+1, map[uint64][3]fsm.Seq{s.incarnation: {fsm.Seq(n)}}
	r.genesis.Lineage[0]++
	r.forget(fsm.Readings, fsm.IntervalSet{{First: 1, Last: fsm.Seq(n)}}, 1)
	return r
}

// old is a site that has shipped 20 readings in two commits, and is gone.
func old(t *testing.T, name string) (s *site, y func(*site) *cloudsync.Syncer, root string) {
	t.Helper()
	s = newSite(t)
	bucket, root := bucketIn(t)
	syncer := newSyncer(s, name, bucket)
	stop := leading(s, syncer)
	for range 2 {
		s.post(10)
		synced(t, syncer)
	}
	stop()
	return s, func(s *site) *cloudsync.Syncer { return newSyncer(s, name, bucket) }, root
}

func TestARestoredSiteDoesNotTakeLaterRowsOfTheOldOneForItsOwn(t *testing.T) {
	was, syncer, root := old(t, "n1")
	s := restored(was, 10)
	for range 2 { // it closes past all that the bucket has before it first reaches it
		s.post(10)
		s.cut()
	}
	y := syncer(s)
	leading(s, y)
	if err := y.Sync(t.Context()); !errors.Is(err, cloudsync.ErrParted) {
		t.Fatalf("Sync = %v, want %v", err, cloudsync.ErrParted)
	}
	if got, _ := s.marks(fsm.Readings); got.Prefix() != 10 {
		t.Errorf("synced up to %d, want 10: the other rows in the bucket are not this site's", got.Prefix())
	}
	if got := verify(t, root).Tables[fsm.Readings].Rows; got != 20 {
		t.Errorf("the table has %d rows, want the old site's 20", got)
	}
}

func TestARestoredSiteGoesOnInABucketThatHasNoMoreThanItsFile(t *testing.T) {
	was, syncer, root := old(t, "n1")
	s := restored(was, 20)
	s.forget(fsm.Readings, fsm.IntervalSet{{First: 1, Last: 10}}, 1) // the file is older than the last commit's mark
	s.cuts[fsm.Readings] = []fsm.Cut{was.cuts[fsm.Readings][0], was.cuts[fsm.Readings][1]}
	s.post(5)
	y := syncer(s)
	leading(s, y)
	synced(t, y)
	if got := sound(t, root).Tables[fsm.Readings].Rows; got != 25 {
		t.Errorf("the table has %d rows, want 25", got)
	}
}
