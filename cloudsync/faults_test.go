package cloudsync_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cloudsync"
	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/fsm"
)

// seam lets a test look at each put and decide what becomes of it.
type seam struct {
	target.Target
	put func(name string, put func() error) error
}

func (s seam) PutIfAbsent(ctx context.Context, name string, body io.Reader, size int64) error {
	return s.put(name, func() error { return s.Target.PutIfAbsent(ctx, name, body, size) })
}

func isCommit(name, table string, n int64) bool {
	return strings.HasSuffix(name, table+"/"+delta.Name(n))
}

var errLost = errors.New("connection reset by peer")

// waitFor waits until the syncer's status is as wished.
func waitFor(tb testing.TB, y *cloudsync.Syncer, what string, ok func(cloudsync.Status) bool) cloudsync.Status {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		st, err := y.Status(ctx)
		if err != nil {
			tb.Fatalf("waited for %s: %v", what, err)
		}
		if ok(st) {
			return st
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("waited for %s; status is %+v", what, st)
		case <-look.C:
		}
	}
}

func inState(state cloudsync.State) func(cloudsync.Status) bool {
	return func(st cloudsync.Status) bool { return st.State == state }
}

func TestDeposedLeaderThatWakesUpShipsNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		asleep func(name string) bool
	}{
		{"asleep before the commit", func(name string) bool { return isCommit(name, "readings", 1) }},
		{"asleep before the upload", func(name string) bool { return strings.Contains(name, "/data/") }},
		{"asleep before its claim", func(name string) bool { return isCommit(name, "readings", 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			bucket, root := bucketIn(t)
			asleep, wake := make(chan struct{}), make(chan struct{})
			var once sync.Once
			old := newSyncer(s, "n1", seam{bucket, func(name string, put func() error) error {
				if c.asleep(name) {
					once.Do(func() {
						close(asleep)
						<-wake
					})
				}
				return put()
			}})
			s.post(100)
			s.cut()
			leading(s, old)
			<-asleep

			s.elect()
			young := newSyncer(s, "n2", bucket)
			leading(s, young)
			synced(t, young)
			s.post(50)
			synced(t, young)

			close(wake)
			st := waitFor(t, old, "the old leader to stop", inState(cloudsync.Stopped))
			if !strings.Contains(st.LastError, "a later leader has the bucket") {
				t.Errorf("last error = %q, want that a later leader has the bucket", st.LastError)
			}
			s.post(25)
			synced(t, young)
			if r := sound(t, root); r.Tables[fsm.Readings].Rows != 175 {
				t.Errorf("rows = %d, want 175", r.Tables[fsm.Readings].Rows)
			}
		})
	}
}

func TestCommitWhoseAnswerIsLostCountsOnce(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	var lost atomic.Int32
	y := newSyncer(s, "n1", seam{bucket, func(name string, put func() error) error {
		err := put()
		if err == nil && strings.Contains(name, "_delta_log") && lost.Add(1)%2 == 1 {
			return errLost
		}
		return err
	}})
	leading(s, y)
	for range 4 {
		s.post(10)
		synced(t, y)
	}
	r := sound(t, root)
	if got := r.Tables[fsm.Readings]; got.Rows != 40 || got.Commit != 4 {
		t.Errorf("table = %+v, want 40 rows in one claim and four commits", got)
	}
}

func TestNewLeaderTakesTheMarkFromTheTable(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	stop := leading(s, y)
	s.post(10)
	synced(t, y)
	before, version := s.marks(fsm.Readings)
	s.post(10)
	synced(t, y)
	stop()
	s.forget(fsm.Readings, before, version) // the leader died between commit and mark

	s.elect()
	young := newSyncer(s, "n2", bucket)
	leading(s, young)
	s.post(10)
	synced(t, young)
	if r := sound(t, root); r.Tables[fsm.Readings].Rows != 30 || r.Tables[fsm.Readings].Files != 3 {
		t.Errorf("table = %+v, want 30 rows in 3 files", r.Tables[fsm.Readings])
	}
}

func TestBucketThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		readOnly := errors.New("read-only file system")
		var broken atomic.Bool
		var tries atomic.Int32
		broken.Store(true)
		y := newSyncer(s, "n1", seam{bucket, func(name string, put func() error) error {
			if broken.Load() {
				tries.Add(1)
				return readOnly
			}
			return put()
		}})
		stop := leading(s, y)
		s.post(10)
		s.cut()
		time.Sleep(time.Hour)
		synctest.Wait()
		// Half a minute to a minute apart, three puts of the probe each.
		if n := tries.Load(); n < 60*3 || n > 140*3 {
			t.Errorf("%d puts in an hour, want about 80 times 3", n)
		}
		st, err := y.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.State != cloudsync.Retrying || !strings.Contains(st.LastError, "read-only") || st.Tables[0].BacklogRows != 10 {
			t.Errorf("status = %+v, want retrying, the reason and 10 rows", st)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := y.Sync(short); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, readOnly) {
			t.Errorf("Sync = %v, want the deadline and the reason", err)
		}
		asked := time.Now()
		if err := y.Sync(t.Context()); !errors.Is(err, readOnly) || time.Since(asked) > time.Minute {
			t.Errorf("Sync without a deadline = %v after %s, want the reason within a minute", err, time.Since(asked))
		}
		broken.Store(false)
		if err := y.Sync(t.Context()); err != nil {
			t.Errorf("Sync = %v after the bucket came back", err)
		}
		synctest.Wait()
		if st, err = y.Status(t.Context()); err != nil || st.LastError != "" || st.Tables[0].BacklogRows != 0 {
			t.Errorf("status = %+v, %v, want no error and no backlog", st, err)
		}
		stop()
		sound(t, root)
	})
}

func TestFileInThePlaceOfTheBucket(t *testing.T) {
	s := newSite(t)
	bucket, err := target.OpenDir("/dev/null/bucket")
	if err != nil {
		t.Fatal(err)
	}
	y := newSyncer(s, "n1", bucket)
	leading(s, y)
	st := waitFor(t, y, "an error", inState(cloudsync.Retrying))
	if !strings.Contains(st.LastError, "not a directory") {
		t.Errorf("last error = %q", st.LastError)
	}
}

func TestSegmentThatIsNotWrittenYetIsWaitedFor(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	s.noFiles = true
	leading(s, y)
	s.post(10)
	s.cut()
	waitFor(t, y, "the syncer to wait", inState(cloudsync.Waiting))
	s.mu.Lock()
	s.noFiles = false
	s.mu.Unlock()
	synced(t, y)
	sound(t, root)
}

func TestSegmentOfOtherRowsIsNotShipped(t *testing.T) {
	s := newSite(t)
	bucket, root := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	s.post(10)
	s.cut()
	s.cuts[fsm.Readings][0].Digest[0]++ // the site closed other rows than the file has
	leading(s, y)
	st := waitFor(t, y, "an error", inState(cloudsync.Retrying))
	if !strings.Contains(st.LastError, "other rows") {
		t.Errorf("last error = %q", st.LastError)
	}
	if r := verify(t, root); r.Tables[fsm.Readings].Files != 0 {
		t.Errorf("table = %+v, want no file", r.Tables[fsm.Readings])
	}
}

func TestSyncerStopsAndSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name string
		// spoil is called after 20 rows were shipped in two commits.
		spoil func(t *testing.T, s *site, bucket target.Target)
		want  error
	}{
		{"another history under the same name", func(t *testing.T, s *site, _ target.Target) {
			s.genesis.Lineage[0]++
			s.forget(fsm.Readings, nil, 0)
			s.forget(fsm.Frames, nil, 0)
		}, cloudsync.ErrHistory},
		{"a later incarnation", func(t *testing.T, s *site, _ target.Target) { s.incarnation = 0 }, cloudsync.ErrHistory},
		{"a bucket that was emptied", func(t *testing.T, s *site, bucket target.Target) {
			for n := range int64(3) {
				if err := bucket.Delete(t.Context(), "demo/readings/"+delta.Name(n)); err != nil {
					t.Fatal(err)
				}
			}
		}, cloudsync.ErrGone},
		{"a log entry missing in the middle", func(t *testing.T, s *site, bucket target.Target) {
			s.forget(fsm.Readings, nil, 0)
			if err := bucket.Delete(t.Context(), "demo/readings/"+delta.Name(1)); err != nil {
				t.Fatal(err)
			}
		}, cloudsync.ErrLog},
		{"rows that the site never closed", func(t *testing.T, s *site, _ target.Target) {
			s.forget(fsm.Readings, nil, 0)
			s.readings, s.cuts[fsm.Readings] = nil, nil
		}, cloudsync.ErrAhead},
		{"a foreign change of rows", func(t *testing.T, s *site, bucket target.Target) {
			putCommit(t, bucket, 3, &delta.Commit{Removes: []delta.Remove{{Path: "x", DataChange: true}}})
		}, cloudsync.ErrForeign},
		{"a foreign change of settings", func(t *testing.T, s *site, bucket target.Target) {
			putCommit(t, bucket, 3, &delta.Commit{Protocol: &delta.Protocol{MinReaderVersion: 3, MinWriterVersion: 7}})
		}, cloudsync.ErrForeign},
		{"a table of a newer skerry", func(t *testing.T, s *site, bucket target.Target) {
			putCommit(t, bucket, 3, &delta.Commit{Info: &delta.CommitInfo{Skerry: &delta.Info{Format: delta.FormatVersion + 1}}})
		}, delta.ErrNewer},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			bucket, _ := bucketIn(t)
			y := newSyncer(s, "n1", bucket)
			stop := leading(s, y)
			for range 2 {
				s.post(10)
				synced(t, y)
			}
			stop()
			c.spoil(t, s, bucket)
			s.elect()
			young := newSyncer(s, "n2", bucket)
			leading(s, young)
			st := waitFor(t, young, "the syncer to stop", inState(cloudsync.Stopped))
			if !strings.Contains(st.LastError, c.want.Error()) {
				t.Errorf("last error = %q, want %q", st.LastError, c.want)
			}
			s.post(10)
			if err := young.Sync(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("Sync = %v, want %v", err, c.want)
			}
		})
	}
}

func TestMissingNumberIsNotGivenAgain(t *testing.T) {
	s := newSite(t)
	bucket, _ := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	stop := leading(s, y)
	for range 2 {
		s.post(10)
		synced(t, y)
	}
	stop()
	hole := "demo/readings/" + delta.Name(1)
	if err := bucket.Delete(t.Context(), hole); err != nil {
		t.Fatal(err)
	}
	s.forget(fsm.Readings, nil, 0)
	s.elect()
	young := newSyncer(s, "n2", bucket)
	leading(s, young)
	waitFor(t, young, "the syncer to stop", inState(cloudsync.Stopped))
	if _, err := bucket.Size(t.Context(), hole); !errors.Is(err, target.ErrNotFound) {
		t.Errorf("commit 1 was written anew in front of commit 2: %v", err)
	}
}

func putCommit(tb testing.TB, bucket target.Target, n int64, c *delta.Commit) {
	tb.Helper()
	b, err := c.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	if err := bucket.PutIfAbsent(tb.Context(), "demo/readings/"+delta.Name(n), strings.NewReader(string(b)), int64(len(b))); err != nil {
		tb.Fatal(err)
	}
}

func TestForeignCompactionIsSteppedOver(t *testing.T) {
	s := newSite(t)
	bucket, _ := bucketIn(t)
	y := newSyncer(s, "n1", bucket)
	leading(s, y)
	s.post(10)
	synced(t, y)
	putCommit(t, bucket, 2, &delta.Commit{Info: &delta.CommitInfo{Operation: "OPTIMIZE"}})
	s.post(10)
	synced(t, y)
	if _, version := s.marks(fsm.Readings); version != 3 {
		t.Errorf("the second shipment is commit %d, want 3", version)
	}
}

// TestOnceThroughManyLeaders elects leaders at random, lets the old ones run on
// and loses puts and answers at random.
func TestOnceThroughManyLeaders(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := newSite(t)
		bucket, root := bucketIn(t)
		var mu sync.Mutex // guards rng
		roll := func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return rng.IntN(n)
		}
		unsteady := seam{bucket, func(name string, put func() error) error {
			time.Sleep(time.Duration(roll(3000)) * time.Millisecond)
			switch roll(6) {
			case 0:
				return errLost
			case 1:
				_ = put()
				return errLost
			}
			return put()
		}}
		var stops []func()
		for range 12 {
			s.elect()
			y := newSyncer(s, "n"+string(rune('1'+roll(3))), unsteady)
			stops = append(stops, leading(s, y))
			for range 1 + roll(4) {
				s.post(1 + roll(40))
				s.snap(roll(2))
				s.cut()
				time.Sleep(time.Duration(roll(20)) * time.Second)
			}
			if len(stops) > 2 { // an old leader notices late
				stops[0]()
				stops = stops[1:]
			}
		}
		s.elect()
		last := newSyncer(s, "n9", bucket)
		leading(s, last)
		if err := last.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := sound(t, root)
		if got, want := r.Tables[fsm.Readings].Rows, uint64(len(s.readings)); got != want {
			t.Errorf("readings in the bucket = %d, want %d", got, want)
		}
		if got, want := r.Tables[fsm.Frames].Rows, uint64(len(s.frames)); got != want {
			t.Errorf("frames in the bucket = %d, want %d", got, want)
		}
	})
}
