package disk

import (
	"errors"
	"io/fs"
	"syscall"
)

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
