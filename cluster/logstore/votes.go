package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/slots"
)

const (
	votesFile = "votes"
	// votesDistance has each copy in a page of its own.
	votesDistance = 4096

	keyTerm      = "CurrentTerm"
	keyVoteTerm  = "LastVoteTerm"
	keyCandidate = "LastVoteCand"
)

var (
	// ErrVotes: the votes are gone or damaged. The directory must not take part
	// in an election any more: it is a new server's.
	ErrVotes = errors.New("the votes of this node are lost")

	// errNotFound is raft's word for a key without a value.
	errNotFound = errors.New("not found")
)

// Votes is raft's StableStore.
type Votes struct {
	guard *guard
	turn  chan struct{} // held over writes; a channel as in segmented.Log
	file  *slots.File   // the turn's

	mu   sync.Mutex
	now  map[string]string // as raft sees it
	held map[string]string // set, and to be durable with the vote it belongs to
}

// openVotes opens the votes. It returns fs.ErrNotExist and ErrVotes.
func openVotes(d disk.Disk, name string, g *guard) (*Votes, error) {
	f, err := slots.Open(d, name, votesDistance)
	switch {
	case errors.Is(err, slots.ErrDamaged):
		return nil, fmt.Errorf("%w: %w", ErrVotes, err)
	case err != nil:
		return nil, err
	}
	now, err := decodeVotes(f.Value())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return newVotes(f, now, g), nil
}

// createVotes makes the votes of a new server, or those taken over.
func createVotes(d disk.Disk, name string, now map[string]string, g *guard) (*Votes, error) {
	b, err := encodeVotes(now)
	if err != nil {
		return nil, err
	}
	f, err := slots.Create(d, name, votesDistance, b)
	if err != nil {
		return nil, err
	}
	return newVotes(f, now, g), nil
}

func newVotes(f *slots.File, now map[string]string, g *guard) *Votes {
	return &Votes{guard: g, turn: make(chan struct{}, 1), file: f, now: now, held: map[string]string{}}
}

// Set is raft.StableStore's: durable when it returns nil, but for the term of a
// vote, which waits for its candidate. What is held already, durable since the
// file was opened, is not written again: raft sets its term at each start, and a
// server that is refused then leaves its directory as it was.
func (v *Votes) Set(key, value []byte) error {
	return v.guard.write("write votes", func() error { return v.set(string(key), string(value)) })
}

func (v *Votes) set(key, value string) error {
	v.turn <- struct{}{}
	defer func() { <-v.turn }()
	v.mu.Lock()
	if key == keyVoteTerm {
		v.held[key] = value
		v.mu.Unlock()
		return nil
	}
	next := maps.Clone(v.now)
	next[key] = value
	if key == keyCandidate {
		maps.Copy(next, v.held)
	}
	same := maps.Equal(next, v.now)
	if same && key == keyCandidate {
		clear(v.held)
	}
	v.mu.Unlock()
	if same {
		return nil
	}
	b, err := encodeVotes(next)
	if err == nil {
		err = v.file.Set(b)
	}
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = next
	if key == keyCandidate {
		clear(v.held)
	}
	return nil
}

// Get is raft.StableStore's.
func (v *Votes) Get(key []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if value, ok := v.held[string(key)]; ok {
		return []byte(value), nil
	}
	if value, ok := v.now[string(key)]; ok {
		return []byte(value), nil
	}
	return nil, errNotFound
}

// SetUint64 is raft.StableStore's.
func (v *Votes) SetUint64(key []byte, n uint64) error {
	return v.Set(key, binary.BigEndian.AppendUint64(nil, n))
}

// GetUint64 is raft.StableStore's.
func (v *Votes) GetUint64(key []byte) (uint64, error) {
	b, err := v.Get(key)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: %s has %d bytes", ErrVotes, key, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// term is the current term, 0 without one.
func (v *Votes) term() uint64 {
	n, err := v.GetUint64([]byte(keyTerm))
	if err != nil {
		return 0
	}
	return n
}

// Check reads the votes on disk again and writes anew what has rotted of them;
// then mended is true.
func (v *Votes) Check() (mended bool, err error) {
	err = v.guard.write("write votes anew that are damaged", func() (err error) {
		v.turn <- struct{}{}
		defer func() { <-v.turn }()
		mended, err = v.file.Check()
		return err
	})
	return mended, err
}

func (v *Votes) close() error { return v.file.Close() }

func encodeVotes(m map[string]string) ([]byte, error) {
	b := []byte{byte(len(m))}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		value := m[key]
		if len(m) > 255 || len(key) > 255 || len(value) > votesDistance {
			return nil, fmt.Errorf("votes under %q: %w", key, slots.ErrTooLong)
		}
		b = append(b, byte(len(key)))
		b = append(b, key...)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	return b, nil
}

func decodeVotes(b []byte) (map[string]string, error) {
	m := map[string]string{}
	take := func(n int) (part []byte) {
		if n > len(b) {
			return nil
		}
		part, b = b[:n:n], b[n:]
		return part
	}
	head := take(1)
	if head == nil {
		return nil, ErrVotes
	}
	for range head[0] {
		n := take(1)
		if n == nil {
			return nil, ErrVotes
		}
		key := take(int(n[0]))
		size := take(2)
		if key == nil || size == nil {
			return nil, ErrVotes
		}
		value := take(int(binary.LittleEndian.Uint16(size)))
		if value == nil {
			return nil, ErrVotes
		}
		m[string(key)] = string(value)
	}
	if len(b) > 0 || len(m) != int(head[0]) {
		return nil, ErrVotes
	}
	return m, nil
}

// isNotExist is true for a file that is not there.
func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
