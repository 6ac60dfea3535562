package faultfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skerry/internal/faultfs"
)

// world is a disk that is mounted.
type world struct {
	testing.TB
	disk *faultfs.Disk
	dir  string
}

func mounted(tb testing.TB) *world {
	tb.Helper()
	w := &world{tb, faultfs.New(), tb.TempDir()}
	if err := w.disk.Mount(w.dir); err != nil {
		tb.Skipf("mounting needs root and /dev/fuse: %v", err)
	}
	tb.Cleanup(func() { w.ok(w.disk.Unmount()) })
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// put writes a file without syncing anything.
func (w *world) put(name, text string) *os.File {
	w.Helper()
	f, err := os.OpenFile(w.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	w.ok(err)
	_, err = f.WriteString(text)
	w.ok(err)
	w.Cleanup(func() { _ = f.Close() })
	return f
}

func (w *world) syncDir(name string) {
	w.Helper()
	d, err := os.Open(w.path(name))
	w.ok(err)
	w.ok(d.Sync())
	w.ok(d.Close())
}

// kept puts a file there, synced with its name.
func (w *world) kept(name, text string) *os.File {
	w.Helper()
	f := w.put(name, text)
	w.ok(f.Sync())
	w.syncDir(filepath.Dir(name))
	return f
}

// cut takes the power away and gives it back.
func (w *world) cut(seed uint64, how faultfs.Spare) faultfs.Loss {
	w.Helper()
	loss, err := w.disk.Cut(rand.New(rand.NewPCG(seed, 0)), how)
	w.ok(err)
	w.ok(w.disk.Mount(w.dir))
	return loss
}

func (w *world) files() map[string]string {
	w.Helper()
	all := map[string]string{}
	for _, f := range w.disk.Files() {
		b, err := os.ReadFile(w.path(f.Name))
		w.ok(err)
		all[f.Name] = string(b)
	}
	return all
}

func TestACutTakesWhatWasNotSynced(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		want map[string]string
	}{
		{"a file and its name, both synced, stay", func(w *world) { w.kept("a", "one") }, map[string]string{"a": "one"}},
		{"a synced file whose directory was not is gone", func(w *world) { w.ok(w.put("a", "one").Sync()) }, nil},
		{"a file that was never synced is empty where its name was", func(w *world) { w.put("a", "one"); w.syncDir(".") }, map[string]string{"a": ""}},
		{"an append after the sync is gone", func(w *world) { _, err := w.kept("a", "one").WriteString("two"); w.ok(err) }, map[string]string{"a": "one"}},
		{"fdatasync is enough for what was appended", func(w *world) {
			f := w.kept("a", "one")
			_, err := f.WriteString("two")
			w.ok(err)
			w.ok(unix.Fdatasync(int(f.Fd())))
		}, map[string]string{"a": "onetwo"}},
		{"an overwrite after the sync is undone", func(w *world) { _, err := w.kept("a", "one").WriteAt([]byte("X"), 1); w.ok(err) }, map[string]string{"a": "one"}},
		{"a truncation after the sync is undone", func(w *world) { w.ok(w.kept("a", "one").Truncate(1)) }, map[string]string{"a": "one"}},
		{"an unsynced rename is undone", func(w *world) { w.kept("a", "one"); w.ok(os.Rename(w.path("a"), w.path("b"))) }, map[string]string{"a": "one"}},
		{"a synced rename over a file replaces it", func(w *world) {
			w.kept("a", "one")
			w.kept("b", "two")
			w.ok(os.Rename(w.path("a"), w.path("b")))
			w.syncDir(".")
		}, map[string]string{"b": "one"}},
		{"an unsynced rename over a file leaves both", func(w *world) {
			w.kept("a", "one")
			w.kept("b", "two")
			w.ok(os.Rename(w.path("a"), w.path("b")))
		}, map[string]string{"a": "one", "b": "two"}},
		{"a synced rename of a file that was not synced is an empty file", func(w *world) {
			w.put("a", "one")
			w.ok(os.Rename(w.path("a"), w.path("b")))
			w.syncDir(".")
		}, map[string]string{"b": ""}},
		{"a rename into another directory stays", func(w *world) {
			w.ok(os.Mkdir(w.path("d"), 0o755))
			w.syncDir(".")
			w.kept("a", "one")
			w.ok(os.Rename(w.path("a"), w.path("d/b")))
		}, map[string]string{"d/b": "one"}},
		{"an unsynced removal is undone", func(w *world) { w.kept("a", "one"); w.ok(os.Remove(w.path("a"))) }, map[string]string{"a": "one"}},
		{"a synced removal stays", func(w *world) { w.kept("a", "one"); w.ok(os.Remove(w.path("a"))); w.syncDir(".") }, nil},
		{"a directory that was not synced is gone with all in it", func(w *world) { w.ok(os.Mkdir(w.path("d"), 0o755)); w.kept("d/a", "one") }, nil},
		{"with a journal every fsync keeps the names before it", func(w *world) {
			w.disk.Journal()
			w.put("a", "one")
			w.ok(w.put("b", "two").Sync())
			w.put("c", "three")
		}, map[string]string{"a": "", "b": "two"}},
		{"a synced directory stays", func(w *world) { w.ok(os.Mkdir(w.path("d"), 0o755)); w.syncDir("."); w.kept("d/a", "one") }, map[string]string{"d/a": "one"}},
		{"reserved space is zeros once it is synced", func(w *world) {
			f := w.kept("a", "one")
			w.ok(unix.Fallocate(int(f.Fd()), 0, 0, 8))
			w.ok(f.Sync())
		}, map[string]string{"a": "one\x00\x00\x00\x00\x00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := mounted(t)
			c.do(w)
			w.cut(1, faultfs.Nothing)
			if got := w.files(); !maps.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestARemovedFileThatACutBringsBackCanBeReadAndWritten(t *testing.T) {
	w := mounted(t)
	w.ok(w.kept("a", "one").Close())
	w.ok(os.Remove(w.path("a")))
	for deadline := time.Now().Add(5 * time.Second); w.disk.Used() > 0; { // the kernel tells of the close when it likes
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of a removed file are taken, want none", w.disk.Used())
		}
		time.Sleep(time.Millisecond)
	}
	w.cut(1, faultfs.Nothing)
	f, err := os.OpenFile(w.path("a"), os.O_WRONLY|os.O_APPEND, 0)
	w.ok(err)
	_, err = f.WriteString("two")
	w.ok(errors.Join(err, f.Close()))
	if got, want := w.files(), map[string]string{"a": "onetwo"}; !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATornCutSparesSomeSectorsInAnyOrder(t *testing.T) {
	const sectors = 64
	older, newer := strings.Repeat("o", faultfs.SectorBytes), strings.Repeat("n", faultfs.SectorBytes)
	gap, whole := false, 0
	for seed := range uint64(20) {
		w := mounted(t)
		f := w.kept("a", strings.Repeat(older, sectors))
		_, err := f.WriteAt([]byte(strings.Repeat(newer, sectors)), 0)
		w.ok(err)
		loss := w.cut(seed, faultfs.Some)
		got := w.files()["a"]
		if len(got) != sectors*faultfs.SectorBytes {
			t.Fatalf("seed %d: got %d bytes of a file whose length did not change", seed, len(got))
		}
		lostBefore := false
		for i := range sectors {
			switch got[i*faultfs.SectorBytes:][:faultfs.SectorBytes] {
			case older:
				lostBefore = true
			case newer:
				gap = gap || lostBefore
			default:
				t.Fatalf("seed %d: sector %d is torn inside", seed, i)
			}
		}
		if loss.Sectors == 0 {
			whole++
		}
	}
	if !gap || whole == 20 {
		t.Errorf("in 20 cuts a later sector outlived an earlier one: %v; cuts without a loss: %d", gap, whole)
	}
}

func TestATornAppendHasAnyLengthBetween(t *testing.T) {
	lengths := map[int]bool{}
	for seed := range uint64(20) {
		w := mounted(t)
		f := w.kept("a", "")
		_, err := f.Write(bytes.Repeat([]byte("n"), 5000))
		w.ok(err)
		w.cut(seed, faultfs.Some)
		got := len(w.files()["a"])
		if got > 5000 {
			t.Fatalf("seed %d: got %d bytes of 5000", seed, got)
		}
		lengths[got] = true
	}
	if !lengths[0] || !lengths[5000] || len(lengths) < 3 {
		t.Errorf("got lengths %v, want none, all, and some between", slices.Sorted(maps.Keys(lengths)))
	}
}

func TestOneSeedLeavesOneDisk(t *testing.T) {
	left := func(seed uint64) map[string]string {
		w := mounted(t)
		for i := range 20 {
			_, err := w.kept(fmt.Sprint("f", i), "").WriteString(strings.Repeat(fmt.Sprint(i%10), 9000))
			w.ok(err)
		}
		w.put("new", "text")
		w.cut(seed, faultfs.Some)
		return w.files()
	}
	first := left(7)
	if !maps.Equal(first, left(7)) {
		t.Error("the same cut with the same seed left something else")
	}
	if maps.Equal(first, left(8)) {
		t.Error("another seed left the same")
	}
}

func TestAFrozenDiskAnswersNobodyUntilTheCut(t *testing.T) {
	w := mounted(t)
	f := w.kept("a", "one")
	w.disk.Freeze()
	done := make(chan error, 1)
	go func() { // ends when the cut answers
		_, err := f.WriteAt([]byte("two"), 0)
		done <- errors.Join(err, f.Sync())
	}()
	w.cut(1, faultfs.Some)
	if err := <-done; !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v of a write to a disk without power, want EIO", err)
	}
	if got := w.files()["a"]; got != "one" {
		t.Errorf("got %q, want what was there before the freeze", got)
	}
}

func TestAMappedFileShowsWhatIsWrittenLater(t *testing.T) {
	w := mounted(t)
	f := w.kept("a", strings.Repeat("o", 8192))
	m, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ, unix.MAP_SHARED)
	w.ok(err)
	defer func() { w.ok(unix.Munmap(m)) }()
	first := m[5000]
	_, err = f.WriteAt([]byte("n"), 5000)
	w.ok(err)
	if first != 'o' || m[5000] != 'n' {
		t.Errorf("got %c, then %c, want o, then n", first, m[5000])
	}
	w.ok(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB))
	again, err := os.Open(w.path("a"))
	w.ok(err)
	defer again.Close()
	if err := unix.Flock(int(again.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("got %v of a second lock, want EWOULDBLOCK", err)
	}
}

func TestFaultsHitTheRequestsTheyName(t *testing.T) {
	w := mounted(t)
	f := w.kept("a", "one")
	g := w.kept("b", "one")
	lift := w.disk.Inject(faultfs.Fault{Op: faultfs.Sync, In: "a", Err: syscall.EIO})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want EIO", err)
	}
	w.ok(g.Sync())
	if _, err := f.WriteAt([]byte("x"), 0); err != nil {
		t.Errorf("a write was hit by a fault of syncs: %v", err)
	}
	if got := lift(); got != 1 {
		t.Errorf("got %d hits, want 1", got)
	}
	w.ok(f.Sync())

	lift = w.disk.Inject(faultfs.Fault{Op: faultfs.Write, Err: syscall.EIO, Times: 1})
	if _, err := g.WriteAt([]byte("x"), 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want EIO", err)
	}
	_, err := g.WriteAt([]byte("x"), 0)
	w.ok(err)
	lift()

	lift = w.disk.Inject(faultfs.Fault{Op: faultfs.Sync, Stall: true})
	done := make(chan error, 1)
	go func() { done <- f.Sync() }()
	select {
	case err := <-done:
		t.Errorf("a stalled sync returned %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	lift()
	w.ok(<-done)
}

func TestASmallDiskIsFull(t *testing.T) {
	w := mounted(t)
	f := w.kept("a", strings.Repeat("o", 8192))
	w.disk.Limit(3 * 4096)
	if _, err := f.WriteAt(bytes.Repeat([]byte("n"), 8192), 8192); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v of the fourth block of three, want ENOSPC", err)
	}
	var st unix.Statfs_t
	w.ok(unix.Statfs(w.dir, &st))
	if st.Bavail > 1 || st.Blocks != 3 {
		t.Errorf("got %d of %d blocks free", st.Bavail, st.Blocks)
	}
	_, err := f.WriteAt([]byte("overwriting takes no space"), 0)
	w.ok(err)
	w.ok(f.Close())
	w.ok(os.Remove(w.path("a")))
	if got := w.disk.Used(); got != 0 {
		t.Errorf("%d bytes are in use after the removal", got)
	}
}

func TestAFlippedBitIsReadAlsoFromTheCache(t *testing.T) {
	w := mounted(t)
	w.kept("a", "one")
	if got := w.files()["a"]; got != "one" {
		t.Fatalf("got %q", got)
	}
	w.ok(w.disk.Flip("a", 1, 0))
	if got := w.files()["a"]; got != "ooe" {
		t.Errorf("got %q, want ooe", got)
	}
	w.cut(1, faultfs.Nothing)
	if got := w.files()["a"]; got != "ooe" {
		t.Errorf("got %q after a cut, want ooe: the bit is rotten on the disk", got)
	}
	if err := w.disk.Flip("a", 3, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v of a bit behind the end, want EINVAL", err)
	}
}
