package disk

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"syscall"
)

// ReserveFile is the file that a Reserve holds.
const ReserveFile = "reserve"

// Reserve is a Disk that keeps some room back in a file. A write that finds the
// disk full gives the file up and goes on. So whoever fills the disk, what a
// node must write to stay alive still has room.
type Reserve struct {
	Disk
	size int64

	// turn is held while the file is made or given up, which may take seconds. It
	// is a channel because a mutex would stop the clock of a test in virtual time.
	turn chan struct{}
	held atomic.Bool // changed by the one that has the turn
}

// NewReserve returns d with a reserve of size bytes, which is as it was left:
// Hold makes it. With a size of 0 there is never one.
func NewReserve(d Disk, size int64) *Reserve {
	r := &Reserve{Disk: d, size: size, turn: make(chan struct{}, 1)}
	f, err := d.Open(ReserveFile)
	if err != nil {
		return r
	}
	had, err := f.Size()
	r.held.Store(err == nil && had >= size && size > 0)
	_ = f.Close() // read only
	if !r.held.Load() {
		_ = d.Remove(ReserveFile) // of another size, or half made; if it stays, Hold writes over it
	}
	return r
}

// Size is what the reserve holds when it is held.
func (r *Reserve) Size() int64 { return r.size }

// Held reports whether the reserve is there. It does not wait for the disk.
func (r *Reserve) Held() bool { return r.held.Load() }

// Hold makes the reserve, unless it is there.
func (r *Reserve) Hold() error {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if r.held.Load() || r.size <= 0 {
		return nil
	}
	f, err := r.Disk.Create(ReserveFile)
	if err != nil {
		return err
	}
	err = allocate(f, r.size)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, r.Disk.Remove(ReserveFile))
	}
	r.held.Store(true)
	return nil
}

// GiveUp gives the reserve's room to other files. It reports whether there was
// any.
func (r *Reserve) GiveUp() bool {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if !r.held.Load() {
		return false
	}
	err := r.Disk.Remove(ReserveFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.held.Store(false)
	return true
}

// makesRoom reports whether an operation that failed is worth another try.
func (r *Reserve) makesRoom(err error) bool { return IsFull(err) && r.GiveUp() }

// IsFull reports an error of a disk without room.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Create is Disk's.
func (r *Reserve) Create(name string) (File, error) {
	f, err := r.Disk.Create(name)
	if r.makesRoom(err) {
		f, err = r.Disk.Create(name)
	}
	return r.file(f, err)
}

// Open is Disk's.
func (r *Reserve) Open(name string) (File, error) { return r.file(r.Disk.Open(name)) }

func (r *Reserve) file(f File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return reservedFile{f, r}, nil
}

// Rename is Disk's.
func (r *Reserve) Rename(from, to string) error {
	err := r.Disk.Rename(from, to)
	if r.makesRoom(err) {
		err = r.Disk.Rename(from, to)
	}
	return err
}

// MakeDir is Disk's.
func (r *Reserve) MakeDir(dir string) error {
	err := r.Disk.MakeDir(dir)
	if r.makesRoom(err) {
		err = r.Disk.MakeDir(dir)
	}
	return err
}

// reservedFile is a file whose writes may use the reserve. A failed sync is
// never tried again: nobody knows what it left.
type reservedFile struct {
	File
	r *Reserve
}

// Write is File's.
func (f reservedFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	if f.r.makesRoom(err) {
		var more int
		more, err = f.File.Write(b[n:])
		n += more
	}
	return n, err
}

// WriteAt is File's.
func (f reservedFile) WriteAt(b []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(b, off)
	if f.r.makesRoom(err) {
		var more int
		more, err = f.File.WriteAt(b[n:], off+int64(n))
		n += more
	}
	return n, err
}

// Allocate is Allocator's.
func (f reservedFile) Allocate(size int64) error {
	err := Allocate(f.File, size)
	if f.r.makesRoom(err) {
		err = Allocate(f.File, size)
	}
	return err
}

// Push is Pusher's.
func (f reservedFile) Push(off, n int64) {
	if p, ok := f.File.(Pusher); ok {
		p.Push(off, n)
	}
}

// allocate takes room on the disk for a file's first size bytes.
func allocate(f File, size int64) error {
	if err := Allocate(f, size); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	zeros := make([]byte, 64<<10)
	for size > 0 {
		n := min(int64(len(zeros)), size)
		if _, err := f.Write(zeros[:n]); err != nil {
			return err
		}
		size -= n
	}
	return nil
}
