package logstore_test

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"

	"skerry/cluster/disk"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

var errCut = errors.New("the power was cut")

// tape is a disk that can be cut before any of its steps, and then tells what
// may be left: of each file what was synced, and of the rest any sectors; of a
// directory what was synced, and of the rest any changes.
type tape struct {
	mu    sync.Mutex
	cutAt int // before this step the power goes; 0 never
	steps int
	now   map[string]*tapeFile
	dirs  map[string]*tapeFile // entries that were synced
	moves []tapeMove           // changes of entries that were not
}

// tapeFile is a file's content, with the writes since its last sync.
type tapeFile struct {
	data, synced []byte
	writes       []tapeWrite
}

// tapeWrite is a write, or a truncation to off where b is nil.
type tapeWrite struct {
	off int
	b   []byte
}

// tapeMove takes a name away, sets one, or both as a rename does.
type tapeMove struct {
	from, to string
	file     *tapeFile
}

func newTape() *tape { return &tape{now: map[string]*tapeFile{}, dirs: map[string]*tapeFile{}} }

// step counts a change and fails from the cut on. The caller unlocks.
func (d *tape) step() error {
	d.mu.Lock()
	d.steps++
	if d.cutAt > 0 && d.steps >= d.cutAt {
		return errCut
	}
	return nil
}

type tapeHandle struct {
	d *tape
	f *tapeFile
}

func (h tapeHandle) Write(b []byte) (int, error) { return h.write(b, -1) }

func (h tapeHandle) WriteAt(b []byte, off int64) (int, error) { return h.write(b, int(off)) }

func (h tapeHandle) write(b []byte, off int) (int, error) {
	err := h.d.step()
	defer h.d.mu.Unlock()
	if off < 0 {
		off = len(h.f.data)
	}
	// A write that the cut meets may have been under way.
	w := tapeWrite{off, slices.Clone(b)}
	if err == nil || h.d.steps == h.d.cutAt {
		h.f.writes = append(h.f.writes, w)
	}
	if err != nil {
		return 0, err
	}
	h.f.data = w.apply(h.f.data)
	return len(b), nil
}

func (w tapeWrite) apply(data []byte) []byte {
	if w.b == nil {
		return data[:min(w.off, len(data))]
	}
	if grow := w.off + len(w.b) - len(data); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[w.off:], w.b)
	return data
}

func (h tapeHandle) ReadAt(b []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if off >= int64(len(h.f.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.f.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h tapeHandle) Sync() error {
	err := h.d.step()
	defer h.d.mu.Unlock()
	if err == nil {
		h.f.synced, h.f.writes = slices.Clone(h.f.data), nil
	}
	return err
}

func (h tapeHandle) SyncData() error { return h.Sync() }

// Allocate is disk.Allocator's: a change of the file's length, as a write is.
func (h tapeHandle) Allocate(size int64) error {
	have, err := h.Size()
	if err == nil && have < size {
		_, err = h.write(make([]byte, size-have), int(have))
	}
	return err
}

func (h tapeHandle) Truncate(size int64) error {
	err := h.d.step()
	defer h.d.mu.Unlock()
	if err == nil {
		h.f.data = h.f.data[:size]
		h.f.writes = append(h.f.writes, tapeWrite{off: int(size)})
	}
	return err
}

func (h tapeHandle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.f.data)), nil
}

func (h tapeHandle) Close() error { return nil }

func (d *tape) Create(name string) (disk.File, error) {
	err := d.step()
	defer d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	f := &tapeFile{}
	d.now[name] = f
	d.moves = append(d.moves, tapeMove{to: name, file: f})
	return tapeHandle{d, f}, nil
}

func (d *tape) Open(name string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.now[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return tapeHandle{d, f}, nil
}

func (d *tape) Rename(from, to string) error { return d.move(from, to) }

func (d *tape) Remove(name string) error { return d.move(name, "") }

func (d *tape) move(from, to string) error {
	err := d.step()
	defer d.mu.Unlock()
	f, ok := d.now[from]
	if !ok && err == nil {
		err = &fs.PathError{Op: "move", Path: from, Err: fs.ErrNotExist}
	}
	if ok && (err == nil || d.steps == d.cutAt) {
		d.moves = append(d.moves, tapeMove{from, to, f})
	}
	if err != nil {
		return err
	}
	delete(d.now, from)
	if to != "" {
		d.now[to] = f
	}
	return nil
}

func (d *tape) List(dir string) (names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.now {
		if path.Dir(name) == path.Clean(dir) {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (d *tape) SyncDir(string) error {
	err := d.step()
	defer d.mu.Unlock()
	if err == nil { // one directory for all is more than a disk promises, and enough here
		d.dirs, d.moves = maps.Clone(d.now), nil
	}
	return err
}

func (d *tape) Path(string) string         { return "" }
func (d *tape) MakeDir(string) error       { return nil }
func (d *tape) Space() (disk.Space, error) { return disk.Space{Free: 1 << 40, Total: 1 << 40}, nil }
func (d *tape) count() int                 { d.mu.Lock(); defer d.mu.Unlock(); return d.steps }
func (m tapeMove) apply(e map[string]*tapeFile) {
	if m.from != "" {
		delete(e, m.from)
	}
	if m.to != "" {
		e[m.to] = m.file
	}
}

// left is a disk after the cut. keep decides for each sector and each change of
// a directory that was not synced whether it is there.
func (d *tape) left(keep func() bool) *tape {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newTape()
	entries := maps.Clone(d.dirs)
	for _, m := range d.moves {
		if keep() {
			m.apply(entries)
		}
	}
	for name, f := range entries {
		data := slices.Clone(f.synced)
		for _, w := range f.writes {
			if w.b == nil {
				if keep() {
					data = w.apply(data)
				}
				continue
			}
			for at := 0; at < len(w.b); {
				end := min(len(w.b), at+sector-(w.off+at)%sector)
				if keep() {
					data = tapeWrite{w.off + at, w.b[at:end]}.apply(data)
				}
				at = end
			}
		}
		after.now[name] = &tapeFile{data: data, synced: slices.Clone(data)}
	}
	after.dirs = maps.Clone(after.now)
	return after
}

// tears are ways in which a cut leaves what was not synced.
var tears = map[string]func(*rand.Rand) func() bool{
	"nothing":   func(*rand.Rand) func() bool { return func() bool { return false } },
	"all of it": func(*rand.Rand) func() bool { return func() bool { return true } },
	"half":      func(r *rand.Rand) func() bool { return func() bool { return r.IntN(2) == 0 } },
	"most":      func(r *rand.Rand) func() bool { return func() bool { return r.IntN(8) > 0 } },
}
