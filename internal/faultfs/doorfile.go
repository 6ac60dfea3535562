package faultfs

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// bytes begins a request for the bytes of a file.
func (s *door) bytes(op Op, id uint64) (*inode, fuse.Status) {
	n, status := s.at(op, id, "")
	if status.Ok() && n.file == nil {
		s.disk.mu.Unlock()
		return nil, fuse.EINVAL
	}
	return n, status
}

// Open lets the kernel cache pages, which mapping a file into memory needs. It
// writes them through at once, because writeback caching is not asked for.
func (s *door) Open(_ <-chan struct{}, in *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	n, status := s.bytes(Read, in.NodeId)
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	if in.Flags&syscall.O_TRUNC != 0 {
		s.disk.used -= int64(len(n.file.live.blocks))
		n.file.truncate(0)
	}
	n.opens++
	return fuse.OK
}

// Release also comes from a mount that is gone already.
func (s *door) Release(_ <-chan struct{}, in *fuse.ReleaseIn) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if n := s.disk.inodes[in.NodeId]; n != nil && n.opens > 0 && s.disk.door == s {
		n.opens--
		s.disk.release(n)
	}
}

func (s *door) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

func (s *door) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	n, status := s.bytes(Read, in.NodeId)
	if !status.Ok() {
		return nil, status
	}
	defer s.disk.mu.Unlock()
	return fuse.ReadResultData(buf[:n.file.live.read(buf, int64(in.Offset))]), fuse.OK
}

func (s *door) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	n, status := s.bytes(Write, in.NodeId)
	if !status.Ok() {
		return 0, status
	}
	defer s.disk.mu.Unlock()
	from := int64(in.Offset)
	if !s.disk.take(n, from, from+int64(len(data))) {
		return 0, fuse.Status(syscall.ENOSPC)
	}
	n.file.write(data, from)
	n.modified = time.Now()
	return uint32(len(data)), fuse.OK
}

// take counts the blocks that a write is about to add, or says that there is no
// space for them.
func (d *Disk) take(n *inode, from, to int64) bool {
	more := n.file.missing(from, to)
	if more > 0 && d.used+more > d.limit {
		return false
	}
	d.used += more
	return true
}

func (s *door) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if in.Mode&^unix.FALLOC_FL_KEEP_SIZE != 0 {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	n, status := s.bytes(Write, in.NodeId)
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	from, to := int64(in.Offset), int64(in.Offset+in.Length)
	if !s.disk.take(n, from, to) {
		return fuse.Status(syscall.ENOSPC)
	}
	n.file.reserve(from, to)
	if in.Mode&unix.FALLOC_FL_KEEP_SIZE == 0 {
		n.file.live.size = max(n.file.live.size, to)
	}
	return fuse.OK
}

func (s *door) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	n, status := s.bytes(Sync, in.NodeId)
	if !status.Ok() {
		return status
	}
	defer s.disk.mu.Unlock()
	n.file.sync()
	s.disk.synced(nil)
	return fuse.OK
}
