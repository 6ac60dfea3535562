package snapshots

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
)

const (
	ext     = ".snap"
	tempExt = ".tmp"

	readBuffer = 256 << 10 // bytes
)

// Store is a raft.SnapshotStore.
type Store struct {
	disk disk.Disk
	dir  string
	keep int
	log  hclog.Logger

	mu     sync.Mutex
	next   int             // the number of the next snapshot
	rotten map[string]bool // whose data was found damaged since Open
}

// Open opens the store in dir, which keeps the newest snapshots, keep of them.
// What a start before left unfinished is removed.
func Open(d disk.Disk, dir string, keep int, log hclog.Logger) (*Store, error) {
	s := &Store{disk: d, dir: dir, keep: keep, log: log, next: 1, rotten: map[string]bool{}}
	names, err := d.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, tempExt) {
			if err := d.Remove(s.path(name)); err != nil {
				return nil, err
			}
		}
		if p, ok := parseID(strings.TrimSuffix(name, ext)); ok {
			s.next = max(s.next, p.number+1)
		}
	}
	return s, nil
}

func (s *Store) path(name string) string { return path.Join(s.dir, name) }

// id is what the name of a snapshot says.
type id struct {
	term, index uint64
	number      int
}

func (i id) String() string { return fmt.Sprintf("%d-%d-%d", i.term, i.index, i.number) }

func parseID(name string) (i id, ok bool) {
	_, err := fmt.Sscanf(name, "%d-%d-%d", &i.term, &i.index, &i.number)
	return i, err == nil && i.String() == name
}

func (i id) compare(j id) int {
	return cmp.Or(cmp.Compare(i.term, j.term), cmp.Compare(i.index, j.index), cmp.Compare(i.number, j.number))
}

// List is raft.SnapshotStore's: newest first, at most those to be kept. One
// whose head is damaged, or of which Open or Verify found more damaged, is left out.
func (s *Store) List() ([]*raft.SnapshotMeta, error) {
	list, rotten, err := s.look()
	for _, name := range rotten {
		s.log.Warn("a snapshot is damaged and not used", "snapshot", name)
	}
	if len(list) > s.keep {
		list = list[:s.keep]
	}
	return list, err
}

// Rotten names the snapshots that List leaves out. They go when the next one is
// in place, or by Drop.
func (s *Store) Rotten() ([]string, error) {
	_, rotten, err := s.look()
	return rotten, err
}

// look reads the heads of all snapshots, newest first, and tells those that are
// not damaged from those that are.
func (s *Store) look() (list []*raft.SnapshotMeta, rotten []string, err error) {
	ids, err := s.ids()
	if err != nil {
		return nil, nil, err
	}
	for _, i := range ids {
		if s.isRotten(i.String()) {
			rotten = append(rotten, i.String())
			continue
		}
		_, m, f, err := s.open(i.String())
		switch {
		case errors.Is(err, ErrRotten):
			rotten = append(rotten, i.String())
			continue
		case errors.Is(err, fs.ErrNotExist):
			continue // removed meanwhile
		case err != nil:
			return nil, nil, err
		}
		if err := f.Close(); err != nil {
			return nil, nil, err
		}
		list = append(list, m)
	}
	return list, rotten, nil
}

// ids are the snapshots there are, newest first.
func (s *Store) ids() ([]id, error) {
	names, err := s.disk.List(s.dir)
	if err != nil {
		return nil, err
	}
	var ids []id
	for _, name := range names {
		if stem, ok := strings.CutSuffix(name, ext); ok {
			if i, ok := parseID(stem); ok {
				ids = append(ids, i)
			}
		}
	}
	slices.SortFunc(ids, func(a, b id) int { return b.compare(a) })
	return ids, nil
}

// open opens a snapshot and checks all but the data.
func (s *Store) open(name string) (h head, m *raft.SnapshotMeta, f disk.File, err error) {
	f, err = s.disk.Open(s.path(name + ext))
	if err != nil {
		return h, nil, nil, err
	}
	if h, m, err = readHead(f); err != nil {
		return h, nil, nil, errors.Join(fmt.Errorf("snapshot %s: %w", name, unreadable(err)), f.Close())
	}
	return h, m, f, nil
}

// unreadable makes what the disk does not give any more, which is how flash
// shows its rot, ErrRotten.
func unreadable(err error) error {
	if errors.Is(err, syscall.EIO) {
		return fmt.Errorf("%w: %w", ErrRotten, err)
	}
	return err
}

// readHead reads what stands before the data.
func readHead(f disk.File) (h head, m *raft.SnapshotMeta, err error) {
	size, err := f.Size()
	if err != nil {
		return h, nil, err
	}
	b := make([]byte, headSize)
	if n, err := f.ReadAt(b, 0); n < len(b) && !errors.Is(err, io.EOF) {
		return h, nil, err
	}
	if h, err = decodeHead(b, size); err != nil {
		return h, nil, err
	}
	b = make([]byte, h.description)
	if n, err := f.ReadAt(b, headSize); n < len(b) {
		return h, nil, err
	}
	m, err = h.decodeMeta(b)
	return h, m, err
}

// dataOf reads the data of an open snapshot.
func dataOf(h head, f disk.File) *io.SectionReader {
	return io.NewSectionReader(f, headSize+int64(h.description), h.data)
}

// check reads the data and compares it with its sum. through stands between.
func (s *Store) check(name string, h head, f disk.File, through func(io.Reader) io.Reader) error {
	sum := crc64.New(ecma)
	_, err := io.CopyBuffer(sum, struct{ io.Reader }{through(dataOf(h, f))}, make([]byte, readBuffer))
	err = unreadable(err)
	if err == nil && sum.Sum64() != h.dataSum {
		err = ErrRotten
	}
	if errors.Is(err, ErrRotten) {
		s.mu.Lock()
		s.rotten[name] = true
		s.mu.Unlock()
	}
	return err
}

func (s *Store) isRotten(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rotten[name]
}

func asItIs(r io.Reader) io.Reader { return r }

// Verify reads a whole snapshot and returns ErrRotten if it is not what was
// written.
func (s *Store) Verify(name string) error { return s.VerifyThrough(name, asItIs) }

// VerifyThrough is Verify where what is read passes a reader of the caller's.
// Its errors are returned.
func (s *Store) VerifyThrough(name string, through func(io.Reader) io.Reader) error {
	h, _, f, err := s.open(name)
	if err != nil {
		return err
	}
	if err = errors.Join(s.check(name, h, f, through), f.Close()); err != nil {
		return fmt.Errorf("snapshot %s: %w", name, err)
	}
	return nil
}

// snapshotReader closes the file of what it reads.
type snapshotReader struct {
	io.Reader
	io.Closer
}

// Open is raft.SnapshotStore's. Everything is checked before it returns.
func (s *Store) Open(name string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	h, m, f, err := s.open(name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.check(name, h, f, asItIs); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("snapshot %s: %w", name, err), f.Close())
	}
	return m, snapshotReader{bufio.NewReaderSize(dataOf(h, f), readBuffer), f}, nil
}

// DropOlder removes all snapshots but the newest, durably.
func (s *Store) DropOlder() error { return s.drop(1) }

// Drop removes one snapshot, durably.
func (s *Store) Drop(name string) error {
	if err := s.disk.Remove(s.path(name + ext)); err != nil {
		return err
	}
	return s.disk.SyncDir(s.dir)
}

// drop removes all but the newest whole ones, keep of them, and what is damaged
// beside them.
func (s *Store) drop(keep int) error {
	list, rotten, err := s.look()
	if err != nil || len(list) == 0 {
		return err
	}
	for _, m := range list[min(keep, len(list)):] {
		rotten = append(rotten, m.ID)
	}
	for _, name := range rotten {
		if err := s.disk.Remove(s.path(name + ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove snapshot %s: %w", name, err)
		}
	}
	if len(rotten) == 0 {
		return nil
	}
	return s.disk.SyncDir(s.dir)
}
