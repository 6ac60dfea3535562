package flash_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"skerry/cluster/disk"
	"skerry/internal/faultlab/flash"
)

var (
	all  = flash.Tear{Lost: 1, Block: 512}
	none = flash.Tear{Lost: 0, Block: 512}
)

func create(tb testing.TB, d *flash.Disk, name, content string) disk.File {
	tb.Helper()
	f, err := d.Create(name)
	if err != nil {
		tb.Fatalf("create %s: %v", name, err)
	}
	if _, err := io.WriteString(f, content); err != nil {
		tb.Fatalf("write %s: %v", name, err)
	}
	return f
}

func want(tb testing.TB, d *flash.Disk, name, content string) {
	tb.Helper()
	got, err := disk.ReadFile(d, name, 1<<20)
	if content == "-" {
		if !errors.Is(err, fs.ErrNotExist) {
			tb.Errorf("%s holds %q (%v), want no such file", name, got, err)
		}
		return
	}
	if err != nil || string(got) != content {
		tb.Errorf("%s holds %q (%v), want %q", name, got, err, content)
	}
}

func TestACutThatLosesAllLeavesExactlyWhatWasSynced(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(d *flash.Disk, kept disk.File) error
		want map[string]string
	}{
		{"nothing was done", func(*flash.Disk, disk.File) error { return nil }, map[string]string{"dir/kept": "old"}},
		{"a write without sync is gone", func(_ *flash.Disk, kept disk.File) error {
			_, err := io.WriteString(kept, " new")
			return err
		}, map[string]string{"dir/kept": "old"}},
		{"a write in place without sync is gone", func(_ *flash.Disk, kept disk.File) error {
			_, err := kept.WriteAt([]byte("O"), 0)
			return err
		}, map[string]string{"dir/kept": "old"}},
		{"a synced write is there", func(_ *flash.Disk, kept disk.File) error {
			_, err := io.WriteString(kept, " new")
			return errors.Join(err, kept.SyncData())
		}, map[string]string{"dir/kept": "old new"}},
		{"what came after the sync is gone", func(_ *flash.Disk, kept disk.File) error {
			_, err := io.WriteString(kept, " new")
			_, later := io.WriteString(kept, "er")
			return errors.Join(err, kept.Truncate(7), kept.Sync(), later, kept.Truncate(2))
		}, map[string]string{"dir/kept": "old new"}},
		{"a synced file in no synced directory is gone", func(d *flash.Disk, _ disk.File) error {
			f, err := d.Create("dir/new")
			return errors.Join(err, f.Sync())
		}, map[string]string{"dir/new": "-"}},
		{"a rename without sync is undone", func(d *flash.Disk, _ disk.File) error {
			return d.Rename("dir/kept", "dir/moved")
		}, map[string]string{"dir/kept": "old", "dir/moved": "-"}},
		{"a synced rename holds", func(d *flash.Disk, _ disk.File) error {
			return errors.Join(d.Rename("dir/kept", "dir/moved"), d.SyncDir("dir"))
		}, map[string]string{"dir/kept": "-", "dir/moved": "old"}},
		{"a removal without sync is undone", func(d *flash.Disk, _ disk.File) error { return d.Remove("dir/kept") },
			map[string]string{"dir/kept": "old"}},
		{"a file that is created over is as it was", func(d *flash.Disk, _ disk.File) error {
			_, err := d.Create("dir/kept")
			return err
		}, map[string]string{"dir/kept": "old"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := flash.New(1)
			kept := create(t, d, "dir/kept", "old")
			if err := errors.Join(kept.Sync(), d.SyncDir("dir"), c.do(d, kept)); err != nil {
				t.Fatal(err)
			}
			d.Cut(all)
			for name, content := range c.want {
				want(t, d, name, content)
			}
			d.Cut(none)
			for name, content := range c.want {
				want(t, d, name, content)
			}
		})
	}
}

func TestAKillLosesNothingAndACutAfterItDoes(t *testing.T) {
	d := flash.New(1)
	f := create(t, d, "a", "one")
	if err := errors.Join(f.Sync(), d.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(f, " two"); err != nil {
		t.Fatal(err)
	}
	d.Kill()
	want(t, d, "a", "one two")
	if _, err := f.Write([]byte("x")); !errors.Is(err, flash.ErrOver) {
		t.Errorf("a handle of the life before: %v, want ErrOver", err)
	}
	d.Cut(all)
	want(t, d, "a", "one")
}

func TestWhatAFailedSyncLeftIsNotMadeDurableByTheNext(t *testing.T) {
	d := flash.New(1)
	f := create(t, d, "a", "")
	if err := d.SyncDir("."); err != nil {
		t.Fatal(err)
	}
	write := func(at int64, b string) {
		t.Helper()
		if _, err := f.WriteAt(bytes.Repeat([]byte(b), 512), at); err != nil {
			t.Fatal(err)
		}
	}
	write(0, "a")
	write(512, "b")
	d.Fail(flash.Sync, 1, "")
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v, want EIO", err)
	}
	write(512, "b") // again
	write(1024, "c")
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	d.Cut(all)
	want(t, d, "a", strings.Repeat("\x00", 512)+strings.Repeat("b", 512)+strings.Repeat("c", 512))
}

// Whatever is torn, a byte is what was synced last or what was written since,
// and what was synced is never shorter.
func TestATornFileHoldsOldAndNewBytesOnly(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		d := flash.New(seed)
		f := create(t, d, "a", strings.Repeat("s", 1+random.IntN(4000)))
		if err := errors.Join(f.Sync(), d.SyncDir(".")); err != nil {
			t.Fatal(err)
		}
		synced, _ := f.Size()
		for i := range 1 + random.IntN(6) {
			b := bytes.Repeat([]byte{'0' + byte(i)}, 1+random.IntN(3000))
			size, _ := f.Size()
			if _, err := f.WriteAt(b, random.Int64N(size+600)); err != nil {
				t.Fatal(err)
			}
		}
		now, err := disk.ReadFile(d, "a", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		d.Cut(flash.Tear{Lost: random.Float64(), Block: 512 << (3 * random.IntN(2))})
		got, err := disk.ReadFile(d, "a", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < int(synced) || len(got) > len(now) {
			t.Fatalf("seed %d: %d bytes are left of %d synced and %d in all", seed, len(got), synced, len(now))
		}
		for i, b := range got {
			if old := i < int(synced) && b == 's'; !old && b != 0 && (b < '0' || b > '5') {
				t.Fatalf("seed %d: byte %d is %q, neither old nor new", seed, i, b)
			}
		}
	}
}

func TestATripEndsTheLifeBeforeTheStep(t *testing.T) {
	d := flash.New(1)
	tripped := 0
	d.Trip(3, func() { tripped++ }) // create, write, write
	f := create(t, d, "a", "one")
	if _, err := io.WriteString(f, "two"); !errors.Is(err, flash.ErrOver) || tripped != 1 {
		t.Errorf("the third step: %v, tripped %d times; want ErrOver, once", err, tripped)
	}
	if _, err := d.Open("a"); !errors.Is(err, flash.ErrOver) {
		t.Errorf("the machine opens a file after its end: %v", err)
	}
	d.Kill()
	want(t, d, "a", "one")
}

func TestAFullDiskTakesWhatFits(t *testing.T) {
	d := flash.New(1)
	f := create(t, d, "a", "12345")
	d.Capacity(3)
	n, err := io.WriteString(f, "6789")
	if n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("wrote %d (%v), want 3 and ENOSPC", n, err)
	}
	if s, _ := d.Space(); s.Free != 0 || s.Total != 8 {
		t.Errorf("space %+v, want none of 8", s)
	}
	if err := d.Remove("a"); err != nil {
		t.Fatal(err)
	}
	create(t, d, "b", "12345678")
}

func TestAStalledDiskSyncsNeitherFilesNorDirectories(t *testing.T) {
	for name, call := range map[string]func(d *flash.Disk, f disk.File) error{
		"a file":      func(_ *flash.Disk, f disk.File) error { return f.Sync() },
		"a directory": func(d *flash.Disk, _ disk.File) error { return d.SyncDir("dir") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := flash.New(1)
				f := create(t, d, "dir/a", "one")
				d.Slow(func(string) time.Duration { return time.Second })
				time.AfterFunc(time.Minute, d.Stall())
				start := time.Now()
				if err := call(d, f); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took != time.Minute+time.Second {
					t.Errorf("it took %s, want the stall of a minute and the second of its own", took)
				}
			})
		})
	}
}

func TestALyingDiskSyncsNothing(t *testing.T) {
	d := flash.New(1)
	f := create(t, d, "a", "one")
	if err := errors.Join(f.Sync(), d.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	d.Lie(func(name string) bool { return name == "a" })
	if _, err := io.WriteString(f, "two"); err != nil {
		t.Fatal(err)
	}
	if err := f.SyncData(); err != nil {
		t.Fatal(err)
	}
	d.Cut(all)
	want(t, d, "a", "one")
}

func TestRotFlipsOneBitOfAFileWithThePrefix(t *testing.T) {
	d := flash.New(1)
	create(t, d, "log/1", "aaaa")
	create(t, d, "other", "bbbb")
	f, ok := d.Rot("log/")
	if !ok || f.Name != "log/1" {
		t.Fatalf("rot of %q (%t), want log/1", f.Name, ok)
	}
	im := d.Image()
	got := im["log/1"]
	flips := 0
	for i := range got {
		if got[i] != 'a' {
			flips++
			if int64(i) != f.At {
				t.Errorf("byte %d flipped, want %d", i, f.At)
			}
		}
	}
	if flips != 1 {
		t.Errorf("%q has %d changed bytes, want one", got, flips)
	}
	if got := string(im.With("log/", f)["log/1"]); got != "aaaa" {
		t.Errorf("%q with the bit turned back", got)
	}
	if _, ok := d.Rot("none/"); ok {
		t.Error("a file that is not there rots")
	}
	want(t, d, "other", "bbbb")
}

func TestAFlipStandsUntilItIsWrittenOverOrItsFileIsGone(t *testing.T) {
	d := flash.New(1)
	w := create(t, d, "log/1", "aaaa")
	f, _ := d.Rot("log/1")
	if err := d.Rename("log/1", "log/2"); err != nil {
		t.Fatal(err)
	}
	if name, ok := d.Stands(f); !ok || name != "log/2" {
		t.Errorf("it stands in %q (%t), want log/2", name, ok)
	}
	if _, err := w.WriteAt([]byte("aaaa"), 0); err != nil {
		t.Fatal(err)
	}
	if name, ok := d.Stands(f); ok {
		t.Errorf("it was written over and stands in %s", name)
	}
	f, _ = d.Rot("log/2")
	if err := d.Remove("log/2"); err != nil {
		t.Fatal(err)
	}
	if name, ok := d.Stands(f); ok {
		t.Errorf("its file was removed and it stands in %s", name)
	}
}

func TestAnOldCardHoldsWhatItHeld(t *testing.T) {
	d := flash.New(1)
	create(t, d, "a", "one")
	im := d.Image()
	create(t, d, "a", "two")
	create(t, d, "b", "x")
	d.Put(im)
	want(t, d, "a", "one")
	want(t, d, "b", "-")
	d.Cut(all)
	want(t, d, "a", "one")
	d.Wipe()
	want(t, d, "a", "-")
}
