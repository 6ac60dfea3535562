package flash

import (
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"skerry/cluster/disk"
)

// Disk is a disk.Disk through the lives of the machine it is in. A handle
// belongs to the life it was opened in and fails after it.
type Disk struct {
	mu      sync.Mutex
	random  *rand.Rand        // guarded by mu, as all below
	now     map[string]*inode // as readers see it
	durable map[string]*inode // by the entries that were synced
	journal map[string][]change
	life    *life
	used    int64 // bytes of all files in now
	faults  faults
}

// life is the time between two ends of power or process.
type life struct{ over chan struct{} }

// change is one step in a directory that was not synced: entries that point
// elsewhere since, nil for removed. A rename is one change of two entries.
type change struct{ entries map[string]*inode }

// New returns an empty disk that draws from seed.
func New(seed uint64) *Disk {
	return &Disk{
		random: rand.New(rand.NewPCG(seed, 0x666c617368)),
		now:    map[string]*inode{}, durable: map[string]*inode{}, journal: map[string][]change{},
		life: &life{over: make(chan struct{})}, faults: newFaults(),
	}
}

// note records a step in the directory that it is durable with. The caller
// holds mu.
func (d *Disk) note(dir string, entries map[string]*inode) {
	dir = path.Clean(dir)
	d.journal[dir] = append(d.journal[dir], change{entries})
	for name, n := range entries {
		if was := d.now[name]; was != nil && was != n {
			d.used -= int64(len(was.data))
		}
		if n == nil {
			delete(d.now, name)
			continue
		}
		d.now[name] = n
	}
}

// Create is disk.Disk's. As O_TRUNC does, it empties a file that is there.
func (d *Disk) Create(name string) (disk.File, error) {
	l, err := d.enter(nil, Write, name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.now[name]
	if n == nil {
		n = &inode{}
		d.note(path.Dir(name), map[string]*inode{name: n})
	}
	d.used -= int64(len(n.data))
	n.truncate(0)
	return &file{d: d, n: n, life: l, name: name}, nil
}

// Open is disk.Disk's.
func (d *Disk) Open(name string) (disk.File, error) {
	l, err := d.enter(nil, Read, name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.now[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{d: d, n: n, life: l, name: name}, nil
}

// Rename is disk.Disk's.
func (d *Disk) Rename(from, to string) error {
	if _, err := d.enter(nil, Write, to); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.now[from]
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if from == to {
		return nil
	}
	size := int64(len(n.data))
	d.note(path.Dir(to), map[string]*inode{from: nil, to: n})
	d.used += size // note took it off with the old name
	return nil
}

// Remove is disk.Disk's.
func (d *Disk) Remove(name string) error {
	if _, err := d.enter(nil, Write, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.now[name]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	d.note(path.Dir(name), map[string]*inode{name: nil})
	return nil
}

// List is disk.Disk's.
func (d *Disk) List(dir string) ([]string, error) {
	if _, err := d.enter(nil, Read, dir); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dir = path.Clean(dir)
	var names []string
	for name := range d.now {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	sort.Strings(names)
	return names, nil
}

// Walk is for disk.Walk.
func (d *Disk) Walk(dir string) ([]string, error) {
	if _, err := d.enter(nil, Read, dir); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.now {
		if dir == "." || strings.HasPrefix(name, dir+"/") {
			names = append(names, name)
		}
	}
	return names, nil
}

// SyncDir is disk.Disk's.
func (d *Disk) SyncDir(dir string) error {
	dir = path.Clean(dir)
	d.mu.Lock()
	steps := len(d.journal[dir])
	d.mu.Unlock()
	if _, err := d.enter(nil, Sync, dir+"/."); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults.lies(dir) {
		return nil
	}
	d.commit(dir, steps)
	return nil
}

// commit makes the first steps in a directory durable. The caller holds mu.
func (d *Disk) commit(dir string, steps int) {
	steps = min(steps, len(d.journal[dir])) // another sync may have been quicker
	for _, c := range d.journal[dir][:steps] {
		for name, n := range c.entries {
			if n == nil {
				delete(d.durable, name)
				continue
			}
			d.durable[name] = n
		}
	}
	d.journal[dir] = slices.Delete(d.journal[dir], 0, steps)
}

// MakeDir is disk.Disk's: directories are there, and durable.
func (d *Disk) MakeDir(string) error { return nil }

// Path is disk.Disk's: no other program can open these files.
func (d *Disk) Path(string) string { return "" }

// Space is disk.Disk's.
func (d *Disk) Space() (disk.Space, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return disk.Space{Free: max(d.faults.capacity-d.used, 0), Total: d.faults.capacity}, nil
}

// Names are all files with a prefix, sorted.
func (d *Disk) Names(prefix string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names(prefix)
}

func (d *Disk) names(prefix string) []string {
	var names []string
	for name := range d.now {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
