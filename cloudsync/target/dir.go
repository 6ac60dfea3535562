package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const (
	// tempDir holds objects on their way in. It is inside the target because
	// link(2) needs the same file system.
	tempDir = ".skerry-tmp"
	// tempGrace is how old a temporary file must be before it is taken for the
	// remains of a crash. Another gateway may be writing the younger ones.
	tempGrace = 24 * time.Hour
)

// Dir is a Target in a directory of a POSIX file system, local or shared.
//
// An object is written to a temporary file, fsynced, and given its name by
// link(2), which fails when the name is taken; then the directory is fsynced.
// Creating the name first and writing after would show readers half an object,
// and leave one behind a crash.
type Dir struct{ root string }

// OpenDir returns the target in root, which is made by the first put. It
// removes temporary files that a crash left over a day ago.
func OpenDir(root string) (*Dir, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	d := &Dir{root: root}
	d.sweep(time.Now().Add(-tempGrace))
	return d, nil
}

// sweep removes temporary files last written before t. What cannot be removed
// costs room only, so errors do not matter.
func (d *Dir) sweep(t time.Time) {
	entries, err := os.ReadDir(filepath.Join(d.root, tempDir))
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().Before(t) {
			_ = os.Remove(filepath.Join(d.root, tempDir, e.Name()))
		}
	}
}

func (d *Dir) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// PutIfAbsent is described at Target.
func (d *Dir) PutIfAbsent(ctx context.Context, name string, body io.Reader, size int64) error {
	if err := checkName(name); err != nil {
		return err
	}
	path := d.path(name)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	temp, err := d.write(ctx, body, size)
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	defer func() { _ = os.Remove(temp) }()
	if err := makeDirs(filepath.Dir(path)); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	if err := link(temp, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", name, ErrExists)
		}
		return fmt.Errorf("put %s: %w", name, err)
	}
	if err := d.syncUp(filepath.Dir(path)); err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	return nil
}

// write makes a durable temporary file of exactly size bytes of body.
func (d *Dir) write(ctx context.Context, body io.Reader, size int64) (path string, err error) {
	dir := filepath.Join(d.root, tempDir)
	if err := makeDirs(dir); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "put-")
	if err != nil {
		return "", err
	}
	defer func() {
		_ = f.Close() // the second time where all went well
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	// One byte more than size is asked for, so that a longer body is noticed.
	n, err := io.Copy(f, io.LimitReader(contextReader{ctx, body}, size+1))
	if err != nil {
		return "", err
	}
	if n != size {
		return "", fmt.Errorf("body does not have the %d bytes announced", size)
	}
	// CreateTemp makes files for their owner alone; readers are other people.
	if err := f.Chmod(0o644); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// link gives temp its name. Over NFS the answer of a link that happened can be
// lost and its repetition told "exists": then both names are one file.
func link(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		a, errA := os.Lstat(temp)
		b, errB := os.Lstat(path)
		if errA == nil && errB == nil && os.SameFile(a, b) {
			return nil
		}
		return err
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%w: the folder must be on a file system with hard links that this user may write", err)
	}
	return err
}

// makeDirs makes path and its parents, each durable in its parent.
func makeDirs(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// syncUp makes the entries of a folder durable, and those of the folders above
// it: another gateway may have made them a moment ago and not synced them yet.
func (d *Dir) syncUp(path string) error {
	for {
		if err := syncDir(path); err != nil {
			return err
		}
		if len(path) <= len(d.root) {
			return nil
		}
		path = filepath.Dir(path)
	}
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Get is described at Target. The result is also an io.ReaderAt.
func (d *Dir) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// List is described at Target. It holds the names of one prefix in memory.
func (d *Dir) List(ctx context.Context, prefix, after string, f func(Object) error) error {
	base := d.root
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		base = d.path(prefix[:i])
	}
	var found []Object
	err := filepath.WalkDir(base, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not made yet, or removed while we walk
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.IsDir() {
			if e.Name() == tempDir {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(d.root, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if !strings.HasPrefix(name, prefix) || name <= after {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		found = append(found, Object{Name: name, Size: info.Size(), Modified: info.ModTime()})
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	for _, o := range found {
		if err := f(o); err != nil {
			return err
		}
	}
	return nil
}

// Delete is described at Target.
func (d *Dir) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Size is described at Target.
func (d *Dir) Size(ctx context.Context, name string) (int64, error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	info, err := os.Stat(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// contextReader ends a long copy when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
