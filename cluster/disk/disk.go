// Package disk is the seam between a node and the files it keeps outside of
// the raft log: segments, frames, its identity. OS is a directory of the
// operating system; Memory is a disk in memory that forgets what was not
// synced when its power is cut.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
)

// File is an open file. Writes go to its end.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
	Size() (int64, error)
	Truncate(size int64) error
}

// Disk is a tree of files; names are relative, separated by '/'. Errors of
// missing files are fs.ErrNotExist.
type Disk interface {
	// Create opens a new, empty file; its directory is made, durably, if need
	// be.
	Create(name string) (File, error)
	// Open opens a file for reading and appending.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// List names the files of a directory, sorted; none if there is no such.
	List(dir string) ([]string, error)
	// SyncDir makes creations, renames and removals in dir durable.
	SyncDir(dir string) error
	// Path is where other programs find the file, "" if they cannot.
	Path(name string) string
}

// WriteFile puts a whole file in place: durable and complete, or not there.
func WriteFile(d Disk, name string, write func(io.Writer) error) error {
	temp := name + ".tmp"
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.Remove(temp))
	}
	if err := d.Rename(temp, name); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(name))
}

// ReadFile returns a whole file of at most limit bytes.
func ReadFile(d Disk, name string, limit int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("file is too large")}
	}
	b := make([]byte, size)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), b)
	return b, err
}

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

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
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
	f, err := os.OpenFile(p, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o640)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Open is Disk's.
func (d *OS) Open(name string) (File, error) {
	f, err := os.OpenFile(d.Path(name), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
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
