package disk

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
)

// Walk names all files under dir, which is "." for all there are, sorted. A
// disk that cannot tell is an error.
func Walk(d Disk, dir string) ([]string, error) {
	w, ok := d.(interface {
		Walk(dir string) ([]string, error)
	})
	if !ok {
		return nil, errors.ErrUnsupported
	}
	names, err := w.Walk(path.Clean(dir))
	sort.Strings(names)
	return names, err
}

// Walk is for the function of that name.
func (r *Reserve) Walk(dir string) ([]string, error) { return Walk(r.Disk, dir) }

// Walk is for the function of that name.
func (d *Memory) Walk(dir string) ([]string, error) {
	if dir == "." {
		return d.Names(""), nil
	}
	return d.Names(dir + "/"), nil
}

// Walk is for the function of that name.
func (d *OS) Walk(dir string) (names []string, err error) {
	err = fs.WalkDir(os.DirFS(d.root), dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// Move puts all files of one directory, but those that keep names, under
// another, durably. After a power cut in its middle it can be done again.
func Move(d Disk, from, to string, keep func(name string) bool) error {
	names, err := Walk(d, from)
	if err != nil {
		return err
	}
	sources, targets := map[string]bool{}, map[string]bool{}
	for _, name := range names {
		if keep(name) || strings.HasPrefix(name, to+"/") {
			continue
		}
		target := path.Join(to, name)
		if dir := path.Dir(target); !targets[dir] {
			if err := d.MakeDir(dir); err != nil {
				return err
			}
		}
		if err := d.Rename(name, target); err != nil {
			return err
		}
		targets[path.Dir(target)], sources[path.Dir(name)] = true, true
	}
	// A name is durable in its new place before it is gone from the old one.
	for _, dirs := range []map[string]bool{targets, sources} {
		for dir := range dirs {
			if err := d.SyncDir(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// RemoveAll removes the files under dir that drop names. Directories stay.
func RemoveAll(d Disk, dir string, drop func(name string) bool) error {
	names, err := Walk(d, dir)
	for _, name := range names {
		if err == nil && drop(name) {
			err = d.Remove(name)
		}
	}
	return err
}
