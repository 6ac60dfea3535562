// Package disk is the seam between a node and the files it keeps outside of
// the raft log: segments, frames, its identity. OS is a directory of the
// operating system; Memory is a disk in memory that forgets what was not
// synced when its power is cut.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
)

// File is an open file. Write appends; WriteAt writes in place, and past the end
// it makes the file longer, with zeros between.
type File interface {
	io.Writer
	io.WriterAt
	io.ReaderAt
	io.Closer
	// Sync makes all that was written durable, and when it was.
	Sync() error
	// SyncData is Sync without the times of the file: one write to the disk
	// where the file keeps its length (fdatasync).
	SyncData() error
	Size() (int64, error)
	Truncate(size int64) error
}

// Allocator is a File that can take its blocks without writing them, which
// wears no flash. They read as zeros, and a write to them cannot meet a full
// disk; the first one changes metadata that a sync has to write too.
type Allocator interface {
	Allocate(size int64) error
}

// Allocate takes room for a file's first size bytes; a shorter file gets that
// size. It returns errors.ErrUnsupported where the file or the file system
// cannot; then nothing was taken.
func Allocate(f File, size int64) error {
	a, ok := f.(Allocator)
	if !ok {
		return errors.ErrUnsupported
	}
	return a.Allocate(size)
}

// Space is room on a disk, in bytes.
type Space struct {
	Free  int64 // what files of this process may still take
	Total int64
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
	// MakeDir makes a directory and those above it, durably.
	MakeDir(dir string) error
	// Path is where other programs find the file, "" if they cannot.
	Path(name string) string
	// Space is the room there is.
	Space() (Space, error)
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
