package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"skerry/cluster/disk"
)

// newFile has write fill a file, which gets its name when it is whole and durable.
// The name is durable when it returns nil.
func newFile(name string, mode fs.FileMode, write func(*os.File) error) (err error) {
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, filepath.Base(name)+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // gone where only its name is not durable
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return disk.NewOS(dir).SyncDir(".")
}
