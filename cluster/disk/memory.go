package disk

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"syscall"
)

// Memory is a Disk in memory. It keeps two images: what a reader sees and what
// a power cut leaves. The zero value is not ready; see NewMemory.
type Memory struct {
	mu      sync.Mutex
	now     map[string]*inode // as readers see it
	durable map[string]*inode // directory entries that were synced
	cuts    int               // handles of an earlier life do nothing
	total   int64             // capacity in bytes, 0 for no bound
	onSync  func(name string)
}

// inode is a file's content.
//
// Invariant: outside of dirty, synced is data up to the shorter of both.
type inode struct {
	data   []byte
	synced []byte // what a cut leaves of data
	dirty  []span // written since the last sync
}

type span struct{ from, to int }

// write puts b at off; the file grows by zeros where it is shorter.
func (n *inode) write(b []byte, off int) {
	from := min(off, len(n.data))
	if end := off + len(b); end > len(n.data) {
		n.data = append(n.data, make([]byte, end-len(n.data))...)
	}
	copy(n.data[off:], b)
	if last := len(n.dirty) - 1; last >= 0 && n.dirty[last].to == from {
		n.dirty[last].to = off + len(b)
		return
	}
	n.dirty = append(n.dirty, span{from, off + len(b)})
}

// sync makes what readers see what a cut leaves.
func (n *inode) sync() {
	if grow := len(n.data) - len(n.synced); grow > 0 {
		n.synced = append(n.synced, make([]byte, grow)...)
	}
	n.synced = n.synced[:len(n.data)]
	for _, d := range n.dirty {
		if to := min(d.to, len(n.data)); d.from < to {
			copy(n.synced[d.from:to], n.data[d.from:to])
		}
	}
	n.dirty = nil
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

// Image is a copy of the disk as a power cut would leave it now.
func (d *Memory) Image() *Memory {
	d.mu.Lock()
	defer d.mu.Unlock()
	image := NewMemory()
	for name, n := range d.durable {
		kept := &inode{data: append([]byte(nil), n.synced...), synced: append([]byte(nil), n.synced...)}
		image.now[name], image.durable[name] = kept, kept
	}
	return image
}

var errPower = errors.New("the power was cut")

type memoryFile struct {
	d    *Memory
	n    *inode
	name string // when it was opened
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
	return f.d.write(f.n, b, len(f.n.data))
}

func (f *memoryFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.lock(); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	return f.d.write(f.n, b, int(off))
}

// write is a write within the capacity. The caller holds mu.
func (d *Memory) write(n *inode, b []byte, off int) (int, error) {
	if grow := int64(off + len(b) - len(n.data)); d.total > 0 && grow > 0 && d.used()+grow > d.total {
		return 0, syscall.ENOSPC
	}
	n.write(b, off)
	return len(b), nil
}

// used is what the files take. The caller holds mu.
func (d *Memory) used() (bytes int64) {
	for _, n := range d.now {
		bytes += int64(len(n.data))
	}
	return bytes
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
	f.d.mu.Lock()
	onSync := f.d.onSync
	f.d.mu.Unlock()
	if onSync != nil {
		onSync(f.name)
	}
	if err := f.lock(); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.n.sync()
	return nil
}

func (f *memoryFile) SyncData() error { return f.Sync() }

// Allocate is Allocator's.
func (f *memoryFile) Allocate(size int64) error {
	have, err := f.Size()
	if err == nil && have < size {
		_, err = f.WriteAt(make([]byte, size-have), have)
	}
	return err
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
	return &memoryFile{d: d, n: n, name: name, life: d.cuts}, nil
}

// Open is Disk's.
func (d *Memory) Open(name string) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.now[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{d: d, n: n, name: name, life: d.cuts}, nil
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

// MakeDir is Disk's: directories are there when files in them are.
func (d *Memory) MakeDir(string) error { return nil }

// OnSync has f called at the beginning of each Sync and SyncData, with the name
// the file was opened by: a slow disk takes its time in f, one that hangs does
// not return from it. nil is a quick disk.
func (d *Memory) OnSync(f func(name string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onSync = f
}

// SetCapacity bounds what the files may take together, in bytes; 0 is no bound.
// A write past it fails with ENOSPC and writes nothing.
func (d *Memory) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total = bytes
}

// unbounded is the room of a disk without a capacity.
const unbounded = 1 << 40

// Space is Disk's.
func (d *Memory) Space() (Space, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	total := d.total
	if total == 0 {
		total = unbounded
	}
	return Space{Free: max(total-d.used(), 0), Total: total}, nil
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
