package disk

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
)

// Memory is a Disk in memory. It keeps two images: what a reader sees and what
// a power cut leaves. The zero value is not ready; see NewMemory.
type Memory struct {
	mu      sync.Mutex
	now     map[string]*inode // as readers see it
	durable map[string]*inode // directory entries that were synced
	cuts    int               // handles of an earlier life do nothing
}

type inode struct {
	data   []byte
	synced []byte // what a cut leaves of data
}

// NewMemory returns an empty disk.
func NewMemory() *Memory {
	return &Memory{now: map[string]*inode{}, durable: map[string]*inode{}}
}

// Cut is a power cut: everything that was not synced is gone, and handles
// opened before it fail.
func (d *Memory) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cuts++
	d.now = map[string]*inode{}
	for name, n := range d.durable {
		kept := append([]byte(nil), n.synced...)
		d.now[name] = &inode{data: kept, synced: append([]byte(nil), kept...)}
	}
	d.durable = map[string]*inode{}
	for name, n := range d.now {
		d.durable[name] = n
	}
}

var errPower = errors.New("the power was cut")

type memoryFile struct {
	d    *Memory
	n    *inode
	life int
}

func (f *memoryFile) lock() error {
	f.d.mu.Lock()
	if f.life != f.d.cuts {
		f.d.mu.Unlock()
		return errPower
	}
	return nil
}

func (f *memoryFile) Write(b []byte) (int, error) {
	if err := f.lock(); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	f.n.data = append(f.n.data, b...)
	return len(b), nil
}

func (f *memoryFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.lock(); err != nil {
		return 0, err
	}
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

func (f *memoryFile) Sync() error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.n.synced = append([]byte(nil), f.n.data...)
	return nil
}

func (f *memoryFile) Size() (int64, error) {
	if err := f.lock(); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *memoryFile) Truncate(size int64) error {
	if err := f.lock(); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	if size < 0 || size > int64(len(f.n.data)) {
		return fs.ErrInvalid
	}
	f.n.data = f.n.data[:size:size]
	return nil
}

func (f *memoryFile) Close() error { return nil }

// Create is Disk's.
func (d *Memory) Create(name string) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &inode{}
	d.now[name] = n
	return &memoryFile{d: d, n: n, life: d.cuts}, nil
}

// Open is Disk's.
func (d *Memory) Open(name string) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.now[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{d: d, n: n, life: d.cuts}, nil
}

// Rename is Disk's.
func (d *Memory) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.now[from]
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(d.now, from)
	d.now[to] = n
	return nil
}

// Remove is Disk's.
func (d *Memory) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.now[name]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(d.now, name)
	return nil
}

// List is Disk's.
func (d *Memory) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.now {
		if path.Dir(name) == path.Clean(dir) {
			names = append(names, path.Base(name))
		}
	}
	sort.Strings(names)
	return names, nil
}

// SyncDir is Disk's.
func (d *Memory) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = path.Clean(dir)
	for name := range d.durable {
		if path.Dir(name) == dir && d.now[name] == nil {
			delete(d.durable, name)
		}
	}
	for name, n := range d.now {
		if path.Dir(name) == dir {
			d.durable[name] = n
		}
	}
	return nil
}

// Path is Disk's: no other program can open these files.
func (d *Memory) Path(string) string { return "" }

// Corrupt flips one bit of a file, for tests of rot. It reports whether the
// file has that byte.
func (d *Memory) Corrupt(name string, at int64, bit uint) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.now[name]
	if !ok || at < 0 || at >= int64(len(n.data)) {
		return false
	}
	n.data = append([]byte(nil), n.data...)
	n.data[at] ^= 1 << (bit % 8)
	return true
}

// Names are all files, sorted, with the prefix.
func (d *Memory) Names(prefix string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.now {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
