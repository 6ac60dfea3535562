package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"skerry/cluster/disk"
)

// disks are all that a node may be given.
func disks(t *testing.T) map[string]disk.Disk {
	t.Helper()
	return map[string]disk.Disk{
		"a directory of the operating system": disk.NewOS(filepath.Join(t.TempDir(), "data")),
		"a disk in memory":                    disk.NewMemory(),
	}
}

// put creates a file with content.
func put(tb testing.TB, d disk.Disk, name, content string) disk.File {
	tb.Helper()
	f, err := d.Create(name)
	if err != nil {
		tb.Fatalf("create %s: %v", name, err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	if _, err := io.WriteString(f, content); err != nil {
		tb.Fatalf("write %s: %v", name, err)
	}
	return f
}

// want checks a file's content; "-" is no file.
func want(tb testing.TB, d disk.Disk, name, content string) {
	tb.Helper()
	got, err := disk.ReadFile(d, name, 1<<20)
	switch {
	case content == "-":
		if !errors.Is(err, fs.ErrNotExist) {
			tb.Errorf("%s holds %q (%v), want no such file", name, got, err)
		}
	case err != nil || string(got) != content:
		tb.Errorf("%s holds %q (%v), want %q", name, got, err, content)
	}
}

func TestBothDisksBehaveAlike(t *testing.T) {
	for name, d := range disks(t) {
		t.Run(name, func(t *testing.T) {
			f := put(t, d, "a/b/file", "one")
			if _, err := io.WriteString(f, "two"); err != nil {
				t.Fatal(err)
			}
			want(t, d, "a/b/file", "onetwo")

			again, err := d.Open("a/b/file")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = again.Close() }()
			if err := again.Truncate(3); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(again, "three"); err != nil {
				t.Fatal(err)
			}
			want(t, d, "a/b/file", "onethree")
			if size, err := again.Size(); err != nil || size != 8 {
				t.Errorf("size %d (%v), want 8", size, err)
			}
			part := make([]byte, 10)
			if n, err := again.ReadAt(part, 3); n != 5 || !errors.Is(err, io.EOF) {
				t.Errorf("a read past the end gives %d bytes (%v), want 5 and EOF", n, err)
			}

			put(t, d, "a/b/other", "x")
			if err := d.Rename("a/b/other", "a/b/file"); err != nil {
				t.Fatal(err)
			}
			want(t, d, "a/b/file", "x")
			want(t, d, "a/b/other", "-")
			put(t, d, "a/b/file", "") // Create empties
			want(t, d, "a/b/file", "")
			put(t, d, "a/b/e", "")
			put(t, d, "a/b/c/deeper", "")
			if names, err := d.List("a/b"); err != nil || !slices.Equal(names, []string{"e", "file"}) {
				t.Errorf("list %q (%v), want the files of that directory alone, sorted", names, err)
			}
			if err := errors.Join(d.SyncDir("a/b"), d.Remove("a/b/e")); err != nil {
				t.Fatal(err)
			}
			want(t, d, "a/b/e", "-")
		})
	}
}

func TestAWriteInPlaceLeavesTheRestAndMayPassTheEnd(t *testing.T) {
	for name, d := range disks(t) {
		t.Run(name, func(t *testing.T) {
			f := put(t, d, "a/file", "abcdef")
			for _, w := range []struct {
				text string
				at   int64
			}{{"XY", 1}, {"Z", 8}} {
				if _, err := f.WriteAt([]byte(w.text), w.at); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.WriteString(f, "!"); err != nil {
				t.Fatal(err)
			}
			if err := f.SyncData(); err != nil {
				t.Error(err)
			}
			want(t, d, "a/file", "aXYdef\x00\x00Z!")
		})
	}
}

func TestSpaceIsTold(t *testing.T) {
	for name, d := range disks(t) {
		s, err := d.Space()
		if err != nil || s.Free <= 0 || s.Total < s.Free {
			t.Errorf("%s: %+v (%v), want some of it free", name, s, err)
		}
	}
}

func TestWhatIsNotThereIsErrNotExist(t *testing.T) {
	for name, d := range disks(t) {
		t.Run(name, func(t *testing.T) {
			_, err := d.Open("none")
			for what, err := range map[string]error{"open": err, "rename": d.Rename("none", "x"), "remove": d.Remove("none")} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v, want fs.ErrNotExist", what, err)
				}
			}
			if names, err := d.List("none"); len(names) > 0 || err != nil {
				t.Errorf("list of no directory: %q (%v), want none", names, err)
			}
		})
	}
}

func TestAFileOverTheLimitIsNotRead(t *testing.T) {
	for name, d := range disks(t) {
		t.Run(name, func(t *testing.T) {
			put(t, d, "file", "12345")
			if b, err := disk.ReadFile(d, "file", 4); err == nil {
				t.Errorf("read %q, want an error", b)
			}
			want(t, d, "file", "12345")
		})
	}
}

func TestAFileWhoseWriterFailsIsNotPutInPlace(t *testing.T) {
	for name, d := range disks(t) {
		t.Run(name, func(t *testing.T) {
			put(t, d, "dir/file", "old")
			broken := errors.New("no more")
			err := disk.WriteFile(d, "dir/file", func(w io.Writer) error {
				_, err := io.WriteString(w, "ne")
				return errors.Join(err, broken)
			})
			if !errors.Is(err, broken) {
				t.Errorf("err = %v, want the writer's", err)
			}
			want(t, d, "dir/file", "old")
			if names, err := d.List("dir"); err != nil || len(names) != 1 {
				t.Errorf("%q are left (%v), want the old file alone", names, err)
			}
		})
	}
}

func TestADirectoryIsMadeOnceAndAFileIsNotTakenForOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := disk.MakeDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := disk.MakeDir(path); err == nil {
			t.Errorf("%s was made a directory", path)
		}
	}
}
