package cloudsync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// watched lets a test act between a listing of data files and what follows it,
// and take part in removals. With ageless set it tells no times.
type watched struct {
	target.Target
	listed  func()
	remove  func(name string, remove func() error) error
	ageless bool
}

func (w watched) List(ctx context.Context, prefix, after string, f func(target.Object) error) error {
	err := w.Target.List(ctx, prefix, after, func(o target.Object) error {
		if w.ageless {
			o.Modified = time.Time{}
		}
		return f(o)
	})
	if w.listed != nil && prefix == "demo/readings/data/" {
		w.listed()
	}
	return err
}

func (w watched) Delete(ctx context.Context, name string) error {
	if w.remove == nil || !strings.Contains(name, "/data/") {
		return w.Target.Delete(ctx, name)
	}
	return w.remove(name, func() error { return w.Target.Delete(ctx, name) })
}

// These outlast the grace, and the time until a leader has searched once.
const (
	overGrace  = 25 * time.Hour
	underGrace = 23 * time.Hour
	oneSearch  = time.Hour
)

const strayRows = "demo/readings/data/2026-11-21/1-10-00000000000000aa.parquet"

// stray puts a file that no commit names, and that is as old as age. The clock
// is that of the test's bubble.
func stray(tb testing.TB, root, name string, age time.Duration) string {
	tb.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("rows"), 0o644); err != nil {
		tb.Fatal(err)
	}
	backdate(tb, path, age)
	return path
}

func backdate(tb testing.TB, path string, age time.Duration) {
	tb.Helper()
	at := time.Now().Add(-age)
	if err := os.Chtimes(path, at, at); err != nil {
		tb.Fatal(err)
	}
}

func exists(tb testing.TB, path string) bool {
	tb.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		tb.Fatal(err)
	}
	return err == nil
}

// after lets the time of a bubble pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestLeaderRemovesOrphans(t *testing.T) {
	for _, c := range []struct {
		name string
		file string
		age  time.Duration
		gone bool
	}{
		{"readings that another file brought", strayRows, overGrace, true},
		{"readings of two other files", "demo/readings/data/2026-11-21/5-15-00000000000000aa.parquet", overGrace, true},
		{"readings that were dropped", "demo/readings/data/2026-11-21/21-30-00000000000000aa.parquet", overGrace, true},
		{"frames that another file brought", "demo/frames/data/2026-11-21/1-2-00000000000000aa.parquet", overGrace, true},
		{"gaps that another file brought", "demo/gaps/data/1-1-00000000000000aa.parquet", overGrace, true},
		{"a young file stays", strayRows, underGrace, false},
		{"a file of the future stays", strayRows, -overGrace, false},
		{"readings still to be shipped stay", "demo/readings/data/2026-11-21/41-50-00000000000000aa.parquet", overGrace, false},
		{"readings partly to be shipped stay", "demo/readings/data/2026-11-21/31-50-00000000000000aa.parquet", overGrace, false},
		{"a range that is none stays", "demo/readings/data/2026-11-21/10-1-00000000000000aa.parquet", overGrace, false},
		{"a file of somebody else stays", "demo/readings/data/2026-11-21/part-00000.parquet", overGrace, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, root := shippedWithAGap(t)
			synctest.Test(t, func(t *testing.T) {
				bucket, err := target.OpenDir(root)
				if err != nil {
					t.Fatal(err)
				}
				s.post(0) // its waiters wait in this bubble from here on
				for _, file := range dataFiles(t, root) {
					backdate(t, file, overGrace)
				}
				path := stray(t, root, c.file, c.age)
				y := newSyncer(s, "n1", bucket)
				stop := leading(s, y)
				after(oneSearch)
				if got := !exists(t, path); got != c.gone {
					t.Errorf("removed = %v, want %v", got, c.gone)
				}
				st, err := y.Status(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var removed uint64
				for _, table := range st.Tables {
					removed += table.OrphansRemoved
				}
				if want := map[bool]uint64{true: 1}[c.gone]; removed != want || st.LastError != "" {
					t.Errorf("status = %+v, want %d files removed and no error", st, want)
				}
				stop()
			})
			sound(t, root)
		})
	}
}

// shippedWithAGap is a site and its bucket of readings 1 to 10, 11 to 20 and 31
// to 40 with a gap between, four frames, and no leader. It is made outside of a
// bubble, because gaps are written by compressors that all tests share.
func shippedWithAGap(tb testing.TB) (s *site, root string) {
	tb.Helper()
	s = newSite(tb)
	bucket, root := bucketIn(tb)
	for range 4 {
		s.post(10)
		s.snap(1)
		s.cut()
	}
	s.drop(21, 30, "disk full")
	y := newSyncer(s, "n1", bucket)
	stop := leading(s, y)
	defer stop()
	synced(tb, y)
	return s, root
}

// dataFiles are the files of all three tables.
func dataFiles(tb testing.TB, root string) []string {
	tb.Helper()
	var all []string
	for _, table := range []string{"readings/data/*", "frames/data/*", "gaps/data"} {
		files, err := filepath.Glob(filepath.Join(root, "demo", table, "*.parquet"))
		if err != nil || len(files) == 0 {
			tb.Fatalf("files of %s = %v, %v", table, files, err)
		}
		all = append(all, files...)
	}
	return all
}

func TestOrphanIsRemovedWhenItsRowsAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		y := newSyncer(s, "n1", bucket)
		stop := leading(s, y)
		path := stray(t, root, strayRows, overGrace)
		after(overGrace)
		if !exists(t, path) {
			t.Error("the file was removed before its rows were in the table")
		}
		s.post(10)
		synced(t, y)
		after(overGrace)
		if exists(t, path) {
			t.Error("the file is still there a day after its rows were shipped by another")
		}
		stop()
		sound(t, root)
	})
}

func TestStoreWithoutTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		y := newSyncer(s, "n1", watched{Target: bucket, ageless: true})
		leading(s, y)
		s.post(10)
		synced(t, y)
		path := stray(t, root, strayRows, overGrace)
		after(underGrace)
		if !exists(t, path) {
			t.Error("the file was removed less than a day after this leader saw it first")
		}
		after(12 * time.Hour)
		if exists(t, path) {
			t.Error("the file is there more than a day after this leader saw it first")
		}
	})
}

func TestFileThatACompactionRemovedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		y := newSyncer(s, "n1", bucket)
		leading(s, y)
		s.post(10)
		synced(t, y)
		path := only(t, root, "demo/readings/data/*/1-10-*.parquet")
		backdate(t, path, overGrace)
		name, err := filepath.Rel(filepath.Join(root, "demo/readings"), path)
		if err != nil {
			t.Fatal(err)
		}
		putCommit(t, bucket, 2, &delta.Commit{
			Info:    &delta.CommitInfo{Operation: "OPTIMIZE"},
			Removes: []delta.Remove{{Path: name}}, Adds: []delta.Add{{Path: "part-00000-c0ffee.snappy.parquet"}},
		})
		after(overGrace)
		if !exists(t, path) {
			t.Error("the file was removed, and older versions of the table need it")
		}
	})
}

func TestFileNamedAfterTheListingStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		name := sync.OnceFunc(func() {
			putCommit(t, bucket, 2, &delta.Commit{
				Info: &delta.CommitInfo{Operation: "OPTIMIZE"},
				Adds: []delta.Add{{Path: strings.TrimPrefix(strayRows, "demo/readings/")}},
			})
		})
		y := newSyncer(s, "n1", watched{Target: bucket, listed: name})
		leading(s, y)
		s.post(10)
		synced(t, y)
		path := stray(t, root, strayRows, overGrace)
		after(overGrace)
		if size, err := bucket.Size(t.Context(), "demo/readings/"+delta.Name(2)); err != nil || size == 0 {
			t.Fatalf("the commit after the listing was not made: %v", err)
		}
		if !exists(t, path) {
			t.Error("the file was removed after a commit had named it")
		}
	})
}

func TestFencedLeaderRemovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		var young *cloudsync.Syncer
		old := newSyncer(s, "n1", watched{Target: bucket, listed: sync.OnceFunc(func() {
			s.elect()
			young = newSyncer(s, "n2", bucket)
			stop := leading(s, young)
			waitFor(t, young, "the claim", inState(cloudsync.Idle))
			stop()
		})})
		leading(s, old)
		s.post(10)
		synced(t, old)
		path := stray(t, root, strayRows, overGrace)
		after(overGrace)
		st, err := old.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st.State != cloudsync.Stopped || !strings.Contains(st.LastError, "skerry members") || !strings.Contains(st.LastError, "older copies") {
			t.Errorf("status = %+v, want stopped, and what to do", st)
		}
		if !exists(t, path) {
			t.Error("a leader removed a file after a later one had claimed the table")
		}
	})
}

func TestRemovalThatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		var tries atomic.Int32
		y := newSyncer(s, "n1", watched{Target: bucket, remove: func(name string, remove func() error) error {
			if tries.Add(1) <= 2 {
				return errLost
			}
			return remove()
		}})
		leading(s, y)
		s.post(10)
		synced(t, y)
		path := stray(t, root, strayRows, overGrace)
		after(oneSearch)
		s.post(10)
		synced(t, y) // shipping goes on
		if n := tries.Load(); n != 1 || !exists(t, path) {
			t.Errorf("%d removals were tried in the first search, want 1 that failed", n)
		}
		after(overGrace)
		if n := tries.Load(); n != 3 || exists(t, path) {
			t.Errorf("%d removals were tried in a day, want the third one to succeed", n)
		}
	})
}

func TestDamagedLogKeepsItsFiles(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(tb testing.TB, commit string)
	}{
		{"its begin is missing", remove},
		{"an entry was changed", func(tb testing.TB, commit string) { edit(tb, commit, replace(tb, `"n1"`, `"n7"`)) }},
		{"an entry was changed with care", func(tb testing.TB, commit string) {
			edit(tb, commit, recheck(tb, func(c *delta.Commit) { c.Own().Node = "n7" }))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				bucket, root := bucketIn(t)
				y := newSyncer(s, "n1", bucket)
				leading(s, y)
				for range 3 {
					s.post(10)
					synced(t, y)
				}
				c.damage(t, filepath.Join(root, "demo/readings", delta.Name(0)))
				path := stray(t, root, strayRows, overGrace)
				after(overGrace)
				if !exists(t, path) {
					t.Error("a file was removed, and the log cannot tell whether it named it")
				}
				s.post(10)
				synced(t, y) // shipping needs the log's end only
			})
		})
	}
}

func TestOneSearchRemovesABoundedNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		bucket, root := bucketIn(t)
		var gone atomic.Int32
		y := newSyncer(s, "n1", watched{Target: bucket, remove: func(name string, remove func() error) error {
			gone.Add(1)
			return remove()
		}})
		leading(s, y)
		for range 130 { // commits, so that the log is read in two turns
			s.post(1)
			s.cut()
		}
		synced(t, y)
		for i := range 130 {
			stray(t, root, fmt.Sprintf("demo/readings/data/2026-11-21/1-130-%016x.parquet", i), overGrace)
		}
		after(oneSearch)
		if n := gone.Load(); n != 100 {
			t.Errorf("the first search removed %d files, want 100", n)
		}
		after(overGrace)
		if n := gone.Load(); n != 130 {
			t.Errorf("%d files were removed in a day, want all 130", n)
		}
	})
}

// TestNoCommittedFileIsRemovedThroughManyLeaders elects leaders at random, lets
// old ones go on and sleep before their removals, and loses puts, removals and
// answers. Every file counts as old.
func TestNoCommittedFileIsRemovedThroughManyLeaders(t *testing.T) {
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
		unsteady := func(longest time.Duration, do func() error) error {
			time.Sleep(time.Duration(roll(int(longest))))
			switch roll(6) {
			case 0:
				return errLost
			case 1:
				_ = do()
				return errLost
			}
			return do()
		}
		var removed atomic.Int32
		faulty := watched{
			Target: aged{seam{bucket, func(name string, put func() error) error { return unsteady(3*time.Second, put) }}},
			remove: func(name string, remove func() error) error {
				removed.Add(1)
				return unsteady(time.Hour, remove)
			},
		}
		var stops []func()
		for i := range 12 {
			s.elect()
			stops = append(stops, leading(s, newSyncer(s, "n"+string(rune('1'+roll(3))), faulty)))
			for range 1 + roll(4) {
				stray(t, root, fmt.Sprintf("demo/readings/data/2026-11-21/1-10-%016x.parquet", i), 0)
				s.post(1 + roll(40))
				s.cut()
				time.Sleep(time.Duration(roll(20)) * time.Minute)
			}
			if len(stops) > 3 { // an old leader notices late
				stops[0]()
				stops = stops[1:]
			}
		}
		s.elect()
		last := newSyncer(s, "n9", aged{bucket})
		leading(s, last)
		if err := last.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		after(oneSearch)
		t.Logf("%d removals by unsteady leaders", removed.Load())
		for _, stop := range stops {
			stop()
		}
		r := sound(t, root)
		if got, want := r.Tables[fsm.Readings].Rows, uint64(len(s.readings)); got != want {
			t.Errorf("readings in the bucket = %d, want %d", got, want)
		}
		if len(r.Notes) > 0 {
			t.Errorf("notes = %v, want every orphan removed", r.Notes)
		}
	})
}

// aged says of every object that it was written long ago.
type aged struct{ target.Target }

func (a aged) List(ctx context.Context, prefix, after string, f func(target.Object) error) error {
	return a.Target.List(ctx, prefix, after, func(o target.Object) error {
		o.Modified = time.Unix(0, 0)
		return f(o)
	})
}
