package flash

import (
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// file is an open file of one life.
type file struct {
	d    *Disk
	n    *inode
	life *life
	name string
}

// Write appends.
func (f *file) Write(b []byte) (int, error) { return f.put(b, -1) }

// WriteAt writes in place.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	return f.put(b, off)
}

// put writes at off, or at the end for -1. On a full disk it writes what fits.
func (f *file) put(b []byte, off int64) (int, error) {
	if _, err := f.d.enter(f.life, Write, f.name); err != nil {
		return 0, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	size := int64(len(f.n.data))
	if off < 0 {
		off = size
	}
	var err error
	if grows := off + int64(len(b)) - size; grows > 0 {
		if room := max(f.d.faults.capacity-f.d.used, 0); grows > room {
			b = b[:max(int64(len(b))-(grows-room), 0)]
			err = fmt.Errorf("write %s: %w", f.name, syscall.ENOSPC)
		}
	}
	f.n.write(b, off)
	f.d.grew(f.n, size)
	return len(b), err
}

// grew counts what a file grew by, if it still has a name. The caller holds mu.
func (d *Disk) grew(n *inode, before int64) { d.used += int64(len(n.data)) - before }

// ReadAt is io.ReaderAt's.
func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if _, err := f.d.enter(f.life, Read, f.name); err != nil {
		return 0, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if off < 0 || off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Sync makes durable what was written before it began.
func (f *file) Sync() error {
	f.d.mu.Lock()
	last := f.n.seal()
	f.d.mu.Unlock()
	_, err := f.d.enter(f.life, Sync, f.name)
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err != nil {
		if last != nil {
			f.n.spoil(last)
		}
		return err
	}
	if last != nil && !f.d.faults.lies(f.name) {
		f.n.settle(last)
	}
	return nil
}

// SyncData is Sync: this disk keeps no times.
func (f *file) SyncData() error { return f.Sync() }

func (f *file) Size() (int64, error) {
	if _, err := f.d.enter(f.life, Read, f.name); err != nil {
		return 0, err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *file) Truncate(size int64) error {
	if size < 0 {
		return fs.ErrInvalid
	}
	if _, err := f.d.enter(f.life, Write, f.name); err != nil {
		return err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	before := int64(len(f.n.data))
	if grows := size - before; grows > 0 && grows > f.d.faults.capacity-f.d.used {
		return fmt.Errorf("truncate %s: %w", f.name, syscall.ENOSPC)
	}
	f.n.truncate(size)
	f.d.grew(f.n, before)
	return nil
}

func (f *file) Close() error { return nil }
