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
	turn turn // held over syncing, reading back and removing files; taken before mu

	mu      sync.Mutex // not held over those
	at      map[fsm.Seq]framePlace
	current *frameFile // nil until the next frame
	files   []*frameFile
	gone    []*frameFile // hold no frame that is wanted: sweep removes them
	// unwritten are frames that found no room on the disk.
	unwritten      map[fsm.Seq][]byte
	unwrittenBytes int
}

type frameFile struct {
	name string
	file disk.File
	size int64
	left int // frames in it that are still wanted

	users  int  // who read it now
	closed bool // by the last of them
}

type framePlace struct {
	file *frameFile
	off  int64
	size uint32
}

func newFrameStore(d disk.Disk) *frameStore {
	return &frameStore{disk: d, turn: newTurn(), at: map[fsm.Seq]framePlace{}, unwritten: map[fsm.Seq][]byte{}}
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
		name := s.freeName(seq)
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
	if b, ok := s.unwritten[seq]; ok {
		s.mu.Unlock()
		return b, nil
	}
	p, ok := s.at[seq]
	if !ok {
		s.mu.Unlock()
		return nil, ErrMissing
	}
	p.file.users++
	s.mu.Unlock()
	b := make([]byte, p.size)
	_, err := io.ReadFull(io.NewSectionReader(p.file.file, p.off, int64(p.size)), b)
	s.mu.Lock()
	defer s.mu.Unlock()
	p.file.users--
	if p.file.closed {
		p.file.close()
	}
	if err != nil {
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

// drop forgets frames that are durable elsewhere. Files that hold no wanted one
// are for sweep.
func (s *frameStore) drop(first, last fsm.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq := first; seq <= last; seq++ {
		s.written(seq)
		if p, ok := s.at[seq]; ok {
			p.file.left--
			delete(s.at, seq)
		}
	}
	s.files = slices.DeleteFunc(s.files, func(f *frameFile) bool {
		goes := f.left == 0 && f != s.current
		if goes {
			s.gone = append(s.gone, f)
		}
		return goes
	})
}
