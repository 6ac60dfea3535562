package cluster

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"skerry/cluster/disk"
	"skerry/fsm"
)

// frameDir holds the bytes of frames that are not yet in a durable segment, in
// append-only files, one for each open frames head. A record is
//
//	offset size
//	0      8    frame seq, little-endian
//	8      4    length of the JPEG
//	12     4    CRC32C of the JPEG
//	16          JPEG
const (
	frameDir    = "frames"
	frameHeader = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameStore keeps the bytes of open frames on disk. The raft log makes them
// durable; the files are synced when a snapshot is about to replace the log.
type frameStore struct {
	disk disk.Disk

	mu      sync.Mutex
	at      map[fsm.Seq]framePlace
	current *frameFile // nil until the next frame
	files   []*frameFile
	// unwritten are frames that found no room on the disk.
	unwritten      map[fsm.Seq][]byte
	unwrittenBytes int
}

type frameFile struct {
	name string
	file disk.File
	size int64
	left int // frames in it that are still wanted
}

type framePlace struct {
	file *frameFile
	off  int64
	size uint32
}

func newFrameStore(d disk.Disk) *frameStore {
	return &frameStore{disk: d, at: map[fsm.Seq]framePlace{}, unwritten: map[fsm.Seq][]byte{}}
}

// restore reads back what is on disk of the open frames and cuts each file
// back to it. It returns the frames whose bytes are not here.
func (s *frameStore) restore(open []fsm.Frame) (missing []fsm.Frame, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	want := map[fsm.Seq]*fsm.Frame{}
	for i := range open {
		want[open[i].Seq] = &open[i]
	}
	names, err := s.disk.List(frameDir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		if err := s.load(frameDir+"/"+name, want); err != nil {
			return nil, err
		}
	}
	for i := range open {
		if _, ok := s.at[open[i].Seq]; !ok {
			missing = append(missing, open[i])
		}
	}
	return missing, nil
}

func (s *frameStore) forget() {
	for _, f := range s.files {
		_ = f.file.Close() // what matters was synced
	}
	s.at, s.files, s.current = map[fsm.Seq]framePlace{}, nil, nil
	s.unwritten, s.unwrittenBytes = map[fsm.Seq][]byte{}, 0
}

// load takes a file's wanted records and cuts off what follows the last of
// them: replay brings it again. A record that is not wanted may stand between
// wanted ones, when a frame of an earlier head was fetched late.
func (s *frameStore) load(name string, want map[fsm.Seq]*fsm.Frame) error {
	f, err := s.disk.Open(name)
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
		frame, ok := want[seq]
		if _, have := s.at[seq]; have || !ok || sha256.Sum256(jpeg) != frame.SHA256 {
			continue
		}
		s.at[seq] = place
		ff.size = off
		ff.left++
	}
	if ff.left == 0 {
		return errors.Join(f.Close(), s.disk.Remove(name))
	}
	if ff.size < size {
		if err := f.Truncate(ff.size); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	s.files = append(s.files, ff)
	s.current = ff
	return nil
}

var errFrameDamaged = errors.New("frame record is damaged")

// readFrame reads the record at off. Of errFrameDamaged the length may be true.
func readFrame(f io.ReaderAt, off, size int64) (fsm.Seq, []byte, error) {
	var h [frameHeader]byte
	if off+frameHeader > size {
		return 0, nil, io.ErrUnexpectedEOF
	}
	if _, err := f.ReadAt(h[:], off); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(h[8:])
	if n > fsm.MaxFrame || off+frameHeader+int64(n) > size {
		return 0, nil, io.ErrUnexpectedEOF
	}
	jpeg := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(f, off+frameHeader, int64(n)), jpeg); err != nil {
		return 0, nil, err
	}
	if crc32.Checksum(jpeg, castagnoli) != binary.LittleEndian.Uint32(h[12:]) {
		return 0, jpeg, errFrameDamaged
	}
	return fsm.Seq(binary.LittleEndian.Uint64(h[:])), jpeg, nil
}

// put appends a frame's bytes. Where the disk has no room they stay in memory:
// flush tries again.
func (s *frameStore) put(seq fsm.Seq, jpeg []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.at[seq]; ok || s.unwritten[seq] != nil {
		return nil
	}
	err := s.write(seq, jpeg)
	if disk.IsFull(err) {
		s.unwritten[seq] = slices.Clone(jpeg) // the entry is not ours
		s.unwrittenBytes += len(jpeg)
		return nil
	}
	return err
}

// flush writes the frames that found no room. It stops at the first error.
func (s *frameStore) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(s.unwritten)) {
		if err := s.write(seq, s.unwritten[seq]); err != nil {
			return err
		}
		s.written(seq)
	}
	return nil
}

// written forgets a frame in memory. The caller holds mu.
func (s *frameStore) written(seq fsm.Seq) {
	s.unwrittenBytes -= len(s.unwritten[seq])
	delete(s.unwritten, seq)
}

// waiting is how many bytes of frames wait for room.
func (s *frameStore) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unwrittenBytes
}

// write appends a frame's record. The caller holds mu.
func (s *frameStore) write(seq fsm.Seq, jpeg []byte) error {
	if s.current == nil {
		name := fmt.Sprintf("%s/%020d.log", frameDir, seq)
		f, err := s.disk.Create(name)
		if err != nil {
			return err
		}
		s.current = &frameFile{name: name, file: f}
		s.files = append(s.files, s.current)
	}
	c := s.current
	rec := binary.LittleEndian.AppendUint64(make([]byte, 0, frameHeader+len(jpeg)), uint64(seq))
	rec = binary.LittleEndian.AppendUint32(rec, uint32(len(jpeg)))
	rec = binary.LittleEndian.AppendUint32(rec, crc32.Checksum(jpeg, castagnoli))
	rec = append(rec, jpeg...)
	if _, err := c.file.Write(rec); err != nil {
		// A part of it may stand there: the next record begins where this did.
		return fmt.Errorf("frame %d: %w", seq, errors.Join(err, c.file.Truncate(c.size)))
	}
	s.at[seq] = framePlace{c, c.size + frameHeader, uint32(len(jpeg))}
	c.size += int64(len(rec))
	c.left++
	return nil
}

// closeHead ends the current file: the next frame begins another.
func (s *frameStore) closeHead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = nil
}

// jpeg returns a frame's bytes; ErrMissing when they are not here.
func (s *frameStore) jpeg(seq fsm.Seq) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.unwritten[seq]; ok {
		return b, nil
	}
	p, ok := s.at[seq]
	if !ok {
		return nil, ErrMissing
	}
	b := make([]byte, p.size)
	if _, err := io.ReadFull(io.NewSectionReader(p.file.file, p.off, int64(p.size)), b); err != nil {
		return nil, fmt.Errorf("frame %d: %w", seq, err)
	}
	return b, nil
}

// check compares a frame's bytes on disk with what the state says of them.
func (s *frameStore) check(f fsm.Frame) error {
	b, err := s.jpeg(f.Seq)
	if err != nil {
		return err
	}
	if sha256.Sum256(b) != f.SHA256 {
		return fmt.Errorf("frame %d: %w", f.Seq, errFrameDamaged)
	}
	return nil
}

// drop forgets frames that are durable elsewhere, and removes files that hold
// no wanted one.
func (s *frameStore) drop(first, last fsm.Seq) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq := first; seq <= last; seq++ {
		s.written(seq)
		if p, ok := s.at[seq]; ok {
			p.file.left--
			delete(s.at, seq)
		}
	}
	kept := s.files[:0]
	var errs []error
	for _, f := range s.files {
		if f.left > 0 || f == s.current {
			kept = append(kept, f)
			continue
		}
		errs = append(errs, f.file.Close(), s.disk.Remove(f.name))
	}
	s.files = kept
	return errors.Join(errs...)
}

// sync makes all that was put durable.
func (s *frameStore) sync() error {
	if err := s.flush(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.file.Sync())
	}
	if len(s.files) > 0 {
		errs = append(errs, s.disk.SyncDir(frameDir))
	}
	return errors.Join(errs...)
}

// close closes the files.
func (s *frameStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
}
