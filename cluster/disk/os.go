package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"syscall"
)

// OS is a Disk under a directory.
type OS struct{ root string }

// NewOS returns the disk under root, which is made on first use.
func NewOS(root string) *OS { return &OS{root: root} }

// MakeDir makes a directory of the operating system and those above it, each
// durable before the next: what is synced in a directory is lost with it.
func MakeDir(path string) error {
	above := filepath.Dir(path)
	if _, err := os.Stat(path); err == nil || above == path {
		return os.MkdirAll(path, 0o750) // nothing to make, or it says what is wrong
	}
	if err := MakeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(above)
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// osFile is a file of the operating system. It is not opened for appending: the
// kernel would then append what WriteAt writes too.
type osFile struct {
	f  *os.File
	mu *sync.Mutex // held while the end is looked up and written to
}

func (f osFile) WriteAt(b []byte, off int64) (int, error) { return f.f.WriteAt(b, off) }
func (f osFile) ReadAt(b []byte, off int64) (int, error)  { return f.f.ReadAt(b, off) }
func (f osFile) Sync() error                              { return f.f.Sync() }
func (f osFile) Truncate(size int64) error                { return f.f.Truncate(size) }
func (f osFile) Close() error                             { return f.f.Close() }

// Write is io.Writer's.
func (f osFile) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end, err := f.Size()
	if err != nil {
		return 0, err
	}
	return f.f.WriteAt(b, end)
}

// SyncData is File's.
func (f osFile) SyncData() error {
	for {
		err := syscall.Fdatasync(int(f.f.Fd()))
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &fs.PathError{Op: "fdatasync", Path: f.f.Name(), Err: err}
		}
	}
}

func (f osFile) Size() (int64, error) {
	st, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Path is Disk's.
func (d *OS) Path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// Create is Disk's.
func (d *OS) Create(name string) (File, error) {
	p := d.Path(name)
	if err := MakeDir(filepath.Dir(p)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	return osFile{f, new(sync.Mutex)}, nil
}

// Open is Disk's.
func (d *OS) Open(name string) (File, error) {
	f, err := os.OpenFile(d.Path(name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f, new(sync.Mutex)}, nil
}

// Rename is Disk's.
func (d *OS) Rename(from, to string) error { return os.Rename(d.Path(from), d.Path(to)) }

// Remove is Disk's.
func (d *OS) Remove(name string) error { return os.Remove(d.Path(name)) }

// List is Disk's.
func (d *OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(d.Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, err
}

// SyncDir is Disk's.
func (d *OS) SyncDir(dir string) error { return syncDir(d.Path(dir)) }

// MakeDir is Disk's.
func (d *OS) MakeDir(dir string) error { return MakeDir(d.Path(dir)) }

// Space is Disk's. The directory need not be there yet.
func (d *OS) Space() (Space, error) {
	var st syscall.Statfs_t
	path := d.root
	err := syscall.Statfs(path, &st)
	for errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		err = syscall.Statfs(path, &st)
	}
	if err != nil {
		return Space{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	block := int64(st.Bsize) //nolint:unconvert // of 32 bits on arm
	return Space{Free: int64(st.Bavail) * block, Total: int64(st.Blocks) * block}, nil
}
