package snapshots

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
)

// sink takes the data of a snapshot.
type sink struct {
	s    *Store
	id   string
	file disk.File
	out  *bufio.Writer
	sum  hash.Hash64
	head head
	done bool
}

// Create is raft.SnapshotStore's. The snapshot is in place when the sink is
// closed.
func (s *Store) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if v != 1 {
		return nil, fmt.Errorf("snapshot version %d is not known", v)
	}
	s.mu.Lock()
	name := id{term, index, s.next}.String()
	s.next++
	s.mu.Unlock()
	description, err := json.Marshal(&raft.SnapshotMeta{
		Version: v, ID: name, Index: index, Term: term, Configuration: c, ConfigurationIndex: ci,
	})
	if err != nil {
		return nil, err
	}
	if len(description) > MaxDescription {
		return nil, fmt.Errorf("the site's members take %d bytes, at most %d are kept", len(description), MaxDescription)
	}
	f, err := s.disk.Create(s.path(name + tempExt))
	if err != nil {
		return nil, err
	}
	k := &sink{s: s, id: name, file: f, sum: crc64.New(ecma)}
	k.head = head{description: len(description), descriptionSum: crc32.Checksum(description, castagnoli)}
	k.out = bufio.NewWriterSize(disk.Steady(f), readBuffer)
	// The head is not whole before all is: a file cut short is no snapshot.
	if _, err := f.Write(append(make([]byte, headSize), description...)); err != nil {
		return nil, errors.Join(err, k.Cancel())
	}
	return k, nil
}

// ID is raft.SnapshotSink's.
func (k *sink) ID() string { return k.id }

// Write is raft.SnapshotSink's.
func (k *sink) Write(b []byte) (int, error) {
	n, err := k.out.Write(b)
	k.sum.Write(b[:n])
	k.head.data += int64(n)
	return n, err
}

// Close is raft.SnapshotSink's: it puts the snapshot in place, durably, and
// removes those that are too many.
func (k *sink) Close() error {
	if k.done {
		return nil
	}
	k.done = true
	err := k.out.Flush()
	if err == nil {
		k.head.dataSum = k.sum.Sum64()
		_, err = k.file.WriteAt(k.head.encode(), 0)
	}
	if err == nil {
		err = k.file.Sync()
	}
	temp := k.s.path(k.id + tempExt)
	if err = errors.Join(err, k.file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write snapshot %s: %w", k.id, err), k.s.disk.Remove(temp))
	}
	if err = k.s.disk.Rename(temp, k.s.path(k.id+ext)); err == nil {
		err = k.s.disk.SyncDir(k.s.dir)
	}
	if err != nil {
		return fmt.Errorf("put snapshot %s in place: %w", k.id, err)
	}
	return k.s.drop(k.s.keep)
}

// Cancel is raft.SnapshotSink's.
func (k *sink) Cancel() error {
	if k.done {
		return nil
	}
	k.done = true
	return errors.Join(k.file.Close(), k.s.disk.Remove(k.s.path(k.id+tempExt)))
}
