package cluster

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"skerry/fsm"
)

const frameExt = ".log"

// freeName is the name of a file that begins with a frame. One that is still to
// be removed does not give its name away.
func (s *frameStore) freeName(seq fsm.Seq) string {
	name := fmt.Sprintf("%s/%020d%s", frameDir, seq, frameExt)
	for n := 1; slices.ContainsFunc(append(slices.Clone(s.files), s.gone...), func(f *frameFile) bool { return f.name == name }); n++ {
		name = fmt.Sprintf("%s/%020d-%d%s", frameDir, seq, n, frameExt)
	}
	return name
}

// close closes a file when nobody reads it. The caller holds the store's mu.
func (f *frameFile) close() {
	if f.closed = true; f.users == 0 {
		_ = f.file.Close() // what matters was synced
	}
}

// forget closes all files. The caller holds the turn and mu.
func (s *frameStore) forget() {
	for _, f := range append(s.files, s.gone...) {
		f.close()
	}
	s.at, s.files, s.gone, s.current = map[fsm.Seq]framePlace{}, nil, nil, nil
	s.unwritten, s.unwrittenBytes = map[fsm.Seq][]byte{}, 0
}

// restore reads back what is on disk of the open frames and cuts each file
// back to it. It returns the frames whose bytes are not here. Nothing is to be put
// meanwhile.
func (s *frameStore) restore(open []fsm.Frame) (missing []fsm.Frame, err error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	l := frameLoad{s: s, want: map[fsm.Seq]*fsm.Frame{}, at: map[fsm.Seq]framePlace{}}
	for i := range open {
		l.want[open[i].Seq] = &open[i]
	}
	names, err := s.disk.List(frameDir)
	for _, name := range names {
		if err == nil && strings.HasSuffix(name, frameExt) {
			err = l.load(frameDir + "/" + name)
		}
	}
	if err != nil {
		for _, f := range l.files {
			f.close()
		}
		return nil, err
	}
	for i := range open {
		if _, ok := l.at[open[i].Seq]; !ok {
			missing = append(missing, open[i])
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	if s.at, s.files = l.at, l.files; len(s.files) > 0 {
		s.current = s.files[len(s.files)-1]
	}
	return missing, nil
}

// frameLoad is what restore has found.
type frameLoad struct {
	s     *frameStore
	want  map[fsm.Seq]*fsm.Frame
	at    map[fsm.Seq]framePlace
	files []*frameFile
}

// load takes a file's wanted records and cuts off what follows the last of
// them: replay brings it again. A record that is not wanted may stand between
// wanted ones, when a frame of an earlier head was fetched late.
func (l *frameLoad) load(name string) error {
	f, err := l.s.disk.Open(name)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	ff := &frameFile{name: name, file: f}
	for off := int64(0); ; {
		seq, jpeg, err := readFrame(f, off, size)
		if errors.Is(err, errFrameDamaged) {
			off += frameHeader + int64(len(jpeg))
			continue // it is fetched; others may follow
		}
		if err != nil {
			break // torn, or its length is damaged: what follows cannot be found
		}
		place := framePlace{ff, off + frameHeader, uint32(len(jpeg))}
		off += frameHeader + int64(len(jpeg))
		frame, ok := l.want[seq]
		if _, have := l.at[seq]; have || !ok || sha256.Sum256(jpeg) != frame.SHA256 {
			continue
		}
		l.at[seq] = place
		ff.size = off
		ff.left++
	}
	if ff.left == 0 {
		return errors.Join(f.Close(), l.s.disk.Remove(name))
	}
	if ff.size < size {
		if err := f.Truncate(ff.size); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	l.files = append(l.files, ff)
	return nil
}

// sweep removes the files that hold no wanted frame. One that is not removed is
// tried again with the next call.
func (s *frameStore) sweep() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	gone := slices.Clone(s.gone)
	s.mu.Unlock()
	var errs []error
	for _, f := range gone {
		if err := s.disk.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		s.mu.Lock()
		f.close()
		s.gone = slices.DeleteFunc(s.gone, func(g *frameFile) bool { return g == f })
		s.mu.Unlock()
	}
	return errors.Join(errs...)
}

// sync makes all that was put durable.
func (s *frameStore) sync() error {
	if err := s.flush(); err != nil {
		return err
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	files := slices.Clone(s.files)
	s.mu.Unlock()
	var errs []error
	for _, f := range files { // nobody closes one without the turn
		errs = append(errs, f.file.Sync())
	}
	if len(files) > 0 {
		errs = append(errs, s.disk.SyncDir(frameDir))
	}
	return errors.Join(errs...)
}

// close closes the files.
func (s *frameStore) close() {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
}
