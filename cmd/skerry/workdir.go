package main

import (
	"errors"
	"os"
	"path/filepath"
)

// workDir is a folder to run a site in: the one named, which must be empty or
// missing and is kept, or a temporary one. remove deletes a temporary one
// unless err is set: then it holds the logs that tell more.
func workDir(named string) (dir string, remove func(err error), err error) {
	if named == "" {
		dir, err = os.MkdirTemp("", "skerry-*")
		return dir, func(err error) { removeDir(dir, err) }, err
	}
	if dir, err = filepath.Abs(named); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, err
	}
	if len(entries) > 0 {
		return "", nil, usagef("--dir %s has something in it: name an empty folder or a new one", named)
	}
	return dir, func(error) {}, os.MkdirAll(dir, 0o755)
}

// isEmpty tells whether there is nothing in a folder, or no such folder.
func isEmpty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return len(entries) == 0 && (err == nil || errors.Is(err, os.ErrNotExist))
}

func removeDir(dir string, err error) {
	if err != nil {
		_ = os.Remove(dir) // which an empty one alone lets happen
		return
	}
	_ = os.RemoveAll(dir) // it is in the system's folder of temporary files
}
