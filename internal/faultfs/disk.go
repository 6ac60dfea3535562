package faultfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Spare says what a cut leaves of what was not synced.
type Spare uint8

const (
	Nothing Spare = iota // all of it is lost
	Some                 // a seeded draw spares some of it
)

// Loss counts what a cut took.
type Loss struct {
	Files   int // that had something to lose
	Sectors int // changed parts of files that are lost
	Spared  int // changed parts of files that are not
	Names   int // changes of directories that are undone
}

// Add adds another cut's.
func (l *Loss) Add(o Loss) {
	l.Files, l.Sectors, l.Spared, l.Names = l.Files+o.Files, l.Sectors+o.Sectors, l.Spared+o.Spared, l.Names+o.Names
}

func (l Loss) String() string {
	return fmt.Sprintf("%d sectors and %d names lost, %d sectors spared", l.Sectors, l.Names, l.Spared)
}

type power uint8

const (
	on      power = iota
	frozen        // requests wait, nothing changes any more
	unpower       // requests fail
)

// ErrMounted: the disk is in use by a mount.
var ErrMounted = errors.New("the disk is mounted")

// Disk is a disk with one filesystem. It outlives its mounts, not the process.
type Disk struct {
	mu      sync.Mutex
	changed *sync.Cond // of power
	power   power
	inodes  map[uint64]*inode
	root    *inode
	lastID  uint64
	used    int64 // blocks
	limit   int64 // blocks
	faults  []*Fault
	journal bool
	dead    chan struct{} // closed when the power is gone and waiting requests are to fail
	server  *fuse.Server  // nil while it is not mounted
	door    *door         // of server; requests that come through another find no disk
	dir     string
}

// DefaultLimit is the space of a disk, in bytes, until Limit is called.
const DefaultLimit = 4 << 30

// New makes an empty disk.
func New() *Disk {
	d := &Disk{inodes: map[uint64]*inode{}, limit: DefaultLimit / blockBytes, dead: make(chan struct{})}
	d.changed = sync.NewCond(&d.mu)
	d.root = d.newInode(fuse.S_IFDIR | 0o755)
	d.root.links = 1
	return d
}

// newInode gives out the ids 1 (the root), 2, ...; mu is held.
func (d *Disk) newInode(mode uint32) *inode {
	d.lastID++
	n := &inode{id: d.lastID, mode: mode, modified: time.Now()}
	if mode&fuse.S_IFDIR != 0 {
		n.dir = newDirectory()
	} else {
		n.file = newFile()
	}
	d.inodes[n.id] = n
	return n
}

// Limit sets the space of the disk, in bytes. What it holds already stays.
func (d *Disk) Limit(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = bytes / blockBytes
}

// Journal makes the disk as kind as ext4 with names: every fsync keeps all
// changes of directories that came before it, like the commit of a journal.
func (d *Disk) Journal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.journal = true
}

// synced ends an fsync, of dir where it is one; mu is held.
func (d *Disk) synced(dir *directory) {
	changed := dir != nil && dir.sync()
	if d.journal {
		for _, n := range d.inodes {
			changed = n.dir != nil && n.dir.sync() || changed
		}
	}
	if changed {
		d.forget()
	}
}

// Used is how much of the space is taken, in bytes.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used * blockBytes
}

// Freeze takes the power away: what is not synced now will be lost, and every
// request waits. Kill the processes that use the disk, then call Cut: so none of
// them sees an error that a machine without power could not have seen.
func (d *Disk) Freeze() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.power == on {
		d.power = frozen
	}
}

// Cut ends a freeze. It fails all requests that wait, unmounts, and leaves on
// the disk what the cut has spared. Mount gives the power back.
func (d *Disk) Cut(draw *rand.Rand, how Spare) (Loss, error) {
	d.Freeze()
	d.mu.Lock()
	d.power = unpower
	close(d.dead)
	d.changed.Broadcast()
	d.mu.Unlock()
	err := d.Unmount()
	d.mu.Lock()
	defer d.mu.Unlock()
	var lost Loss
	for _, id := range slices.Sorted(maps.Keys(d.inodes)) {
		n := d.inodes[id]
		if n.dir != nil {
			n.dir.cut(draw, how, &lost)
		} else {
			n.file.cut(draw, how, &lost)
		}
	}
	d.sweep()
	return lost, err
}

// sweep forgets what no name leads to and counts what is there.
func (d *Disk) sweep() {
	d.inodes, d.used = map[uint64]*inode{}, 0
	var visit func(n *inode)
	visit = func(n *inode) {
		n.opens, n.links = 0, n.links+1
		d.inodes[n.id] = n
		if n.file != nil {
			d.used += int64(len(n.file.live.blocks))
			return
		}
		for _, below := range n.dir.live {
			below.links = 0
			visit(below)
		}
	}
	d.root.links = 0
	visit(d.root)
}

// release counts the space of an inode that can no longer be seen as free. It is
// not forgotten: a cut may undo the removal of its name. mu is held.
func (d *Disk) release(n *inode) {
	if n.links > 0 || n.opens > 0 || n.file == nil {
		return
	}
	d.used -= int64(len(n.file.live.blocks))
}

// forget forgets the files that no cut brings back, after a directory was
// synced; mu is held.
func (d *Disk) forget() {
	named := map[uint64]bool{}
	for _, n := range d.inodes {
		if n.dir == nil {
			continue
		}
		for _, below := range n.dir.kept {
			named[below.id] = true
		}
		for _, c := range n.dir.changes { // a cut may stop after any of them
			for _, to := range c {
				if to.to != nil {
					named[to.to.id] = true
				}
			}
		}
	}
	maps.DeleteFunc(d.inodes, func(id uint64, n *inode) bool {
		return n.file != nil && n.links <= 0 && n.opens <= 0 && !named[id]
	})
}

// find returns the inode of a path such as "raft/wal-meta.db"; mu is held.
func (d *Disk) find(name string) (*inode, error) {
	at := d.root
	for part := range strings.SplitSeq(path.Clean(name), "/") {
		if part == "." || part == "" {
			continue
		}
		if at.dir == nil || at.dir.live[part] == nil {
			return nil, &fs.PathError{Op: "find", Path: name, Err: syscall.ENOENT}
		}
		at = at.dir.live[part]
	}
	return at, nil
}

// File is a file and its length in bytes.
type File struct {
	Name string
	Size int64
}

// Files lists all files, sorted by their paths from the root.
func (d *Disk) Files() []File {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []File
	var visit func(at string, n *inode)
	visit = func(at string, n *inode) {
		if n.file != nil {
			list = append(list, File{at, n.file.live.size})
			return
		}
		for _, name := range slices.Sorted(maps.Keys(n.dir.live)) {
			visit(path.Join(at, name), n.dir.live[name])
		}
	}
	visit("", d.root)
	return list
}

// ReadFile returns what a process would read from a file.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err != nil {
		return nil, err
	}
	if n.file == nil || n.file.live.size > math.MaxInt32 {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	b := make([]byte, n.file.live.size)
	n.file.live.read(b, 0)
	return b, nil
}

// Flip inverts one bit of a file where it rests. A process that has the byte in
// its cache reads it as it was until it asks the disk again, which Flip makes it
// do where the disk is mounted.
func (d *Disk) Flip(name string, offset int64, bit uint) error {
	d.mu.Lock()
	n, err := d.find(name)
	if err == nil && (n.file == nil || offset < 0 || offset >= n.file.live.size) {
		err = &fs.PathError{Op: "flip", Path: name, Err: syscall.EINVAL}
	}
	if err != nil {
		d.mu.Unlock()
		return err
	}
	n.file.flip(offset, bit)
	server := d.server
	d.mu.Unlock()
	if server != nil {
		server.InodeNotify(n.id, 0, -1) // answers ENOENT where nothing is cached
	}
	return nil
}
