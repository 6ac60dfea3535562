package disk_test

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"skerry/cluster/disk"
)

func TestACutForgetsExactlyWhatWasNotSynced(t *testing.T) {
	must := func(tb testing.TB, err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	// kept is a file that is durable before the case begins.
	for _, c := range []struct {
		name string
		do   func(t *testing.T, d *disk.Memory, kept disk.File) error
		want map[string]string
	}{
		{"nothing was done", func(*testing.T, *disk.Memory, disk.File) error { return nil },
			map[string]string{"dir/kept": "old"}},
		{"a write without sync is gone", func(_ *testing.T, _ *disk.Memory, kept disk.File) error {
			_, err := io.WriteString(kept, " new")
			return err
		}, map[string]string{"dir/kept": "old"}},
		{"a synced write is there", func(_ *testing.T, _ *disk.Memory, kept disk.File) error {
			_, err := io.WriteString(kept, " new")
			return errors.Join(err, kept.Sync())
		}, map[string]string{"dir/kept": "old new"}},
		{"a truncation without sync is undone", func(_ *testing.T, _ *disk.Memory, kept disk.File) error {
			return kept.Truncate(1)
		}, map[string]string{"dir/kept": "old"}},
		{"a synced file in no synced directory is gone", func(t *testing.T, d *disk.Memory, _ disk.File) error {
			return put(t, d, "dir/new", "x").Sync()
		}, map[string]string{"dir/kept": "old", "dir/new": "-"}},
		{"a file in a synced directory is there, its bytes are not", func(t *testing.T, d *disk.Memory, _ disk.File) error {
			put(t, d, "dir/new", "x")
			return d.SyncDir("dir")
		}, map[string]string{"dir/new": ""}},
		{"a synced directory holds for its own files alone", func(t *testing.T, d *disk.Memory, _ disk.File) error {
			return errors.Join(put(t, d, "other/new", "x").Sync(), d.SyncDir("dir"))
		}, map[string]string{"other/new": "-"}},
		{"a rename without sync is undone", func(_ *testing.T, d *disk.Memory, _ disk.File) error {
			return d.Rename("dir/kept", "dir/moved")
		}, map[string]string{"dir/kept": "old", "dir/moved": "-"}},
		{"a synced rename holds", func(_ *testing.T, d *disk.Memory, _ disk.File) error {
			return errors.Join(d.Rename("dir/kept", "dir/moved"), d.SyncDir("dir"))
		}, map[string]string{"dir/kept": "-", "dir/moved": "old"}},
		{"a removal without sync is undone", func(_ *testing.T, d *disk.Memory, _ disk.File) error {
			return d.Remove("dir/kept")
		}, map[string]string{"dir/kept": "old"}},
		{"a synced removal holds", func(_ *testing.T, d *disk.Memory, _ disk.File) error {
			return errors.Join(d.Remove("dir/kept"), d.SyncDir("dir"))
		}, map[string]string{"dir/kept": "-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := disk.NewMemory()
			kept := put(t, d, "dir/kept", "old")
			must(t, kept.Sync())
			must(t, d.SyncDir("dir"))
			must(t, c.do(t, d, kept))
			d.Cut()
			for name, content := range c.want {
				want(t, d, name, content)
			}
			d.Cut() // what was left is durable
			for name, content := range c.want {
				want(t, d, name, content)
			}
		})
	}
}

func TestHandlesOfAnEarlierLifeFail(t *testing.T) {
	d := disk.NewMemory()
	f := put(t, d, "file", "x")
	d.Cut()
	_, write := f.Write([]byte("y"))
	_, read := f.ReadAt(make([]byte, 1), 0)
	_, size := f.Size()
	for what, err := range map[string]error{"write": write, "read": read, "size": size, "sync": f.Sync(), "truncate": f.Truncate(0)} {
		if err == nil {
			t.Errorf("%s works after the power was cut", what)
		}
	}
}

// cutBefore is a disk whose power is cut before the step of that number; the
// program that uses it ends there.
type cutBefore struct {
	*disk.Memory
	step int
}

var errDead = errors.New("the program has ended")

func (d *cutBefore) tick() error {
	if d.step--; d.step != 0 {
		return nil
	}
	d.Cut()
	d.step = 1 // and before all that follow
	return errDead
}

func (d *cutBefore) Create(name string) (disk.File, error) {
	if err := d.tick(); err != nil {
		return nil, err
	}
	f, err := d.Memory.Create(name)
	return &cutFile{f, d}, err
}

func (d *cutBefore) Rename(from, to string) error {
	return errors.Join(d.tick(), d.Memory.Rename(from, to))
}

func (d *cutBefore) SyncDir(dir string) error {
	return errors.Join(d.tick(), d.Memory.SyncDir(dir))
}

type cutFile struct {
	disk.File
	d *cutBefore
}

func (f *cutFile) Write(b []byte) (int, error) {
	if err := f.d.tick(); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f *cutFile) Sync() error { return errors.Join(f.d.tick(), f.File.Sync()) }

func TestAPowerCutLeavesTheOldFileOrTheNewOne(t *testing.T) {
	const steps = 6 // create, write, write, sync, rename, sync of the directory
	for step := 1; step <= steps+1; step++ {
		d := &cutBefore{disk.NewMemory(), 0}
		if err := disk.WriteFile(d, "dir/file", func(w io.Writer) error {
			_, err := io.WriteString(w, "old")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		d.step = step
		err := disk.WriteFile(d, "dir/file", func(w io.Writer) error {
			for _, s := range []string{"the ", "new"} {
				if _, err := io.WriteString(w, s); err != nil {
					return err
				}
			}
			return nil
		})
		d.Cut()
		if step > steps {
			if err != nil {
				t.Fatalf("without a cut: %v", err)
			}
			want(t, d, "dir/file", "the new")
			continue
		}
		got, readErr := disk.ReadFile(d, "dir/file", 100)
		if readErr != nil || (string(got) != "old" && string(got) != "the new") {
			t.Errorf("cut before step %d leaves %q (%v), want the old or the new file", step, got, readErr)
		}
		if err == nil && string(got) != "the new" {
			t.Errorf("cut before step %d: it was said to be written and is %q", step, got)
		}
	}
}

func TestRotFlipsOneBit(t *testing.T) {
	d := disk.NewMemory()
	put(t, d, "file", "a")
	if !d.Corrupt("file", 0, 1) || d.Corrupt("file", 1, 0) || d.Corrupt("none", 0, 0) {
		t.Error("Corrupt does not say which bytes there are")
	}
	want(t, d, "file", "c")
}

func TestAPowerCutLeavesWhatWasSyncedOfAFileWrittenInPlace(t *testing.T) {
	d := disk.NewMemory()
	f := put(t, d, "log", "00000000")
	for i, b := range []string{"1", "2", "3"} {
		if _, err := f.WriteAt([]byte(b), int64(2*i)); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := errors.Join(f.SyncData(), d.SyncDir(".")); err != nil {
				t.Fatal(err)
			}
		}
	}
	want(t, d, "log", "10203000")
	d.Cut()
	want(t, d, "log", "10200000")
}

func TestAFullMemoryDiskTakesNothingMore(t *testing.T) {
	d := disk.NewMemory()
	f := put(t, d, "file", "1234")
	d.SetCapacity(6)
	if _, err := io.WriteString(f, "567"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a write past the capacity: %v, want ENOSPC", err)
	}
	if _, err := f.WriteAt([]byte("xy"), 2); err != nil {
		t.Errorf("a write in place on a full disk: %v", err)
	}
	if s, err := d.Space(); err != nil || s.Free != 2 || s.Total != 6 {
		t.Errorf("%+v (%v), want 2 of 6 free", s, err)
	}
	want(t, d, "file", "12xy")
}
