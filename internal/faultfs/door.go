package faultfs

import (
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// cacheTime is how long the kernel may remember names and attributes: it is told
// of every change, because every change goes through it.
const cacheTime = time.Hour

// door answers the kernel's requests from a disk.
type door struct {
	fuse.RawFileSystem
	disk *Disk

	mu       sync.Mutex
	listings map[uint64][]fuse.DirEntry // of open directories, by handle
	last     uint64                     // handle
}

func newDoor(d *Disk) *door {
	return &door{RawFileSystem: fuse.NewDefaultRawFileSystem(), disk: d, listings: map[uint64][]fuse.DirEntry{}}
}

// at begins a request that names an inode; the disk is locked when status is OK.
func (s *door) at(op Op, id uint64, name string) (*inode, fuse.Status) {
	if e := s.disk.begin(op, id, name); e != 0 {
		return nil, fuse.Status(e)
	}
	n := s.disk.inodes[id]
	switch {
	case s.disk.door != s: // a process outlived its mount
		s.disk.mu.Unlock()
		return nil, fuse.EIO
	case n == nil:
		s.disk.mu.Unlock()
		return nil, fuse.Status(syscall.ESTALE)
	}
	return n, fuse.OK
}

func (n *inode) attr(out *fuse.Attr) {
	*out = fuse.Attr{Ino: n.id, Mode: n.mode, Nlink: uint32(n.links), Blksize: blockBytes}
	if n.file != nil {
		out.Size, out.Blocks = uint64(n.file.live.size), uint64(len(n.file.live.blocks))*blockBytes/SectorBytes
	}
	out.SetTimes(&n.modified, &n.modified, &n.modified)
}

func (n *inode) entry(out *fuse.EntryOut) {
	out.NodeId = n.id
	out.SetEntryTimeout(cacheTime)
	out.SetAttrTimeout(cacheTime)
	n.attr(&out.Attr)
}

func (s *door) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	n, status := s.at(Read, in.NodeId, name)
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	if n.dir == nil {
		return fuse.ENOTDIR
	}
	below := n.dir.live[name]
	if below == nil {
		return fuse.ENOENT
	}
	below.entry(out)
	return fuse.OK
}

func (s *door) Forget(uint64, uint64) {}

func (s *door) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, status := s.at(Read, in.NodeId, "")
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	out.SetTimeout(cacheTime)
	n.attr(&out.Attr)
	return fuse.OK
}

func (s *door) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, status := s.at(Write, in.NodeId, "")
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	if size, ok := in.GetSize(); ok && n.file != nil {
		before := len(n.file.live.blocks)
		n.file.truncate(int64(size))
		s.disk.used += int64(len(n.file.live.blocks) - before)
	}
	if mode, ok := in.GetMode(); ok {
		n.mode = n.mode&syscall.S_IFMT | mode&^syscall.S_IFMT
	}
	n.modified = time.Now()
	if t, ok := in.GetMTime(); ok {
		n.modified = t
	}
	out.SetTimeout(cacheTime)
	n.attr(&out.Attr)
	return fuse.OK
}

// add makes a file or directory.
func (s *door) add(parent uint64, name string, mode uint32, out *fuse.EntryOut) (*inode, fuse.Status) {
	n, status := s.at(Change, parent, name)
	if !status.Ok() {
		return nil, status
	}
	defer s.disk.mu.Unlock()
	switch {
	case n.dir == nil:
		return nil, fuse.ENOTDIR
	case n.dir.live[name] != nil:
		return nil, fuse.Status(syscall.EEXIST)
	case s.disk.used >= s.disk.limit:
		return nil, fuse.Status(syscall.ENOSPC)
	}
	made := s.disk.newInode(mode)
	made.links = 1
	n.dir.do(change{{name, made}})
	n.modified = made.modified
	made.entry(out)
	return made, fuse.OK
}

func (s *door) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	_, status := s.add(in.NodeId, name, fuse.S_IFDIR|in.Mode&^syscall.S_IFMT, out)
	return status
}

func (s *door) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	n, status := s.add(in.NodeId, name, fuse.S_IFREG|in.Mode&^syscall.S_IFMT, &out.EntryOut)
	if status.Ok() {
		s.disk.mu.Lock()
		n.opens++
		s.disk.mu.Unlock()
	}
	return status
}

func (s *door) Unlink(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return s.remove(in.NodeId, name)
}

func (s *door) Rmdir(_ <-chan struct{}, in *fuse.InHeader, name string) fuse.Status {
	return s.remove(in.NodeId, name)
}

func (s *door) remove(parent uint64, name string) fuse.Status {
	n, status := s.at(Change, parent, name)
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	below := n.dir.live[name]
	switch {
	case below == nil:
		return fuse.ENOENT
	case below.dir != nil && len(below.dir.live) > 0:
		return fuse.Status(syscall.ENOTEMPTY)
	}
	n.dir.do(change{{name, nil}})
	below.links--
	s.disk.release(below)
	return fuse.OK
}

func (s *door) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	n, status := s.at(Change, in.NodeId, to)
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	target := s.disk.inodes[in.Newdir]
	if target == nil || target.dir == nil || n.dir == nil {
		return fuse.ENOENT
	}
	moved, replaced := n.dir.live[from], target.dir.live[to]
	switch {
	case in.Flags != 0: // exchange, and without replacing
		return fuse.EINVAL
	case moved == nil:
		return fuse.ENOENT
	case moved == replaced:
		return fuse.OK
	case replaced != nil && replaced.dir != nil && len(replaced.dir.live) > 0:
		return fuse.Status(syscall.ENOTEMPTY)
	}
	if n == target {
		n.dir.do(change{{from, nil}, {to, moved}})
	} else {
		n.dir.do(change{{from, nil}})
		target.dir.do(change{{to, moved}})
		s.disk.synced(target.dir)
		s.disk.synced(n.dir)
	}
	if replaced != nil {
		replaced.links--
		s.disk.release(replaced)
	}
	return fuse.OK
}

func (s *door) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n, status := s.at(Read, in.NodeId, "")
	if !status.Ok() {
		return status
	}
	list := []fuse.DirEntry{{Name: ".", Mode: fuse.S_IFDIR, Ino: n.id}, {Name: "..", Mode: fuse.S_IFDIR, Ino: n.id}}
	for _, name := range slices.Sorted(maps.Keys(n.dir.live)) {
		list = append(list, fuse.DirEntry{Name: name, Mode: n.dir.live[name].mode, Ino: n.dir.live[name].id})
	}
	s.disk.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.listings[s.last], out.Fh = list, s.last
	return fuse.OK
}

func (s *door) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.listings[in.Fh]
	for _, e := range list[min(in.Offset, uint64(len(list))):] {
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

func (s *door) ReleaseDir(in *fuse.ReleaseIn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listings, in.Fh)
}

func (s *door) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	n, status := s.at(Sync, in.NodeId, "")
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	s.disk.synced(n.dir)
	return fuse.OK
}

func (s *door) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	if _, status := s.at(Read, in.NodeId, ""); !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	free := uint64(max(0, s.disk.limit-s.disk.used))
	*out = fuse.StatfsOut{
		Blocks: uint64(s.disk.limit), Bfree: free, Bavail: free, Bsize: blockBytes, Frsize: blockBytes,
		Files: 1 << 20, Ffree: 1<<20 - uint64(len(s.disk.inodes)), NameLen: 255,
	}
	return fuse.OK
}

func (s *door) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.OK }
