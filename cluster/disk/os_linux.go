package disk

import (
	"errors"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// Push is Pusher's. What fails is told by Sync.
func (f osFile) Push(off, n int64) {
	_ = unix.SyncFileRange(int(f.f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// Allocate is Allocator's.
func (f osFile) Allocate(size int64) error {
	for {
		err := syscall.Fallocate(int(f.f.Fd()), 0, 0, size)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &fs.PathError{Op: "fallocate", Path: f.f.Name(), Err: err}
		}
	}
}
