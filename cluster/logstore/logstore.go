package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"go.etcd.io/bbolt"

	"skerry/cluster/disk"
)

// Kind is the store of the log.
type Kind string

const (
	WAL  Kind = "wal"  // raft-wal: one fsync an append
	Bolt Kind = "bolt" // raft-boltdb
)

// Files in the directory.
const (
	walDir     = "wal"
	logFile    = "log.bolt"
	stableFile = "stable.bolt"
)

// segmentSize is what raft-wal preallocates at a time, in bytes.
const segmentSize = 16 << 20

// Config tells where and how.
type Config struct {
	Dir    string
	Kind   Kind
	Logger hclog.Logger
	// Failed is called once with the first error of a write. The store refuses
	// all later writes; the process is to end.
	Failed func(error)
}

// Store is the log (raft.LogStore) and the votes and terms (raft.StableStore).
type Store struct {
	*Log
	Stable raft.StableStore
	close  []io.Closer
}

// Open opens or creates the stores in cfg.Dir. A directory whose log is of the
// other kind is refused.
func Open(cfg Config) (*Store, error) {
	if err := disk.MakeDir(cfg.Dir); err != nil {
		return nil, err
	}
	if err := checkKind(cfg); err != nil {
		return nil, err
	}
	stable, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(cfg.Dir, stableFile)})
	if err != nil {
		return nil, fmt.Errorf("open votes and terms: %w", err)
	}
	var log raft.LogStore
	var closer io.Closer
	switch cfg.Kind {
	case WAL:
		dir := filepath.Join(cfg.Dir, walDir)
		if err := disk.MakeDir(dir); err != nil {
			return nil, errors.Join(err, stable.Close())
		}
		w, err := wal.Open(dir, wal.WithLogger(cfg.Logger), wal.WithSegmentSize(segmentSize))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the log in %s: %w", dir, err), stable.Close())
		}
		log, closer = w, w
	case Bolt:
		b, err := raftboltdb.New(raftboltdb.Options{
			Path:        filepath.Join(cfg.Dir, logFile),
			BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the log: %w", err), stable.Close())
		}
		log, closer = b, b
	default:
		return nil, errors.Join(fmt.Errorf("log store %q is not known: use wal or bolt", cfg.Kind), stable.Close())
	}
	s := &Store{Log: NewLog(log, cfg.Failed), Stable: stable, close: []io.Closer{closer, stable}}
	// bbolt syncs its files and not that they are there.
	if err := disk.NewOS(cfg.Dir).SyncDir("."); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes both stores.
func (s *Store) Close() error {
	var errs []error
	for _, c := range s.close {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

func checkKind(cfg Config) error {
	other, kind := filepath.Join(cfg.Dir, logFile), Bolt
	if cfg.Kind == Bolt {
		other, kind = filepath.Join(cfg.Dir, walDir), WAL
	}
	if _, err := os.Stat(other); err == nil {
		return fmt.Errorf("the log in %s is kept by %q: start with --log-store %s", cfg.Dir, kind, kind)
	}
	return nil
}
