package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"go.etcd.io/bbolt"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/segmented"
)

// Kind is the store of the log.
type Kind string

const (
	Segmented Kind = "segmented" // our own: one fdatasync an append
	WAL       Kind = "wal"       // raft-wal: one fsync an append
	Bolt      Kind = "bolt"      // raft-boltdb
)

// Kinds are all of them.
var Kinds = []Kind{Segmented, WAL, Bolt}

// Known reports that k is one of Kinds.
func (k Kind) Known() bool { return k == Segmented || k == WAL || k == Bolt }

// Files in the directory.
const (
	kindFile     = "kind"
	segmentedDir = "log"
	walDir       = "wal"
	logFile      = "log.bolt"
	maxKind      = 64 // bytes of the kind's file
)

// walSegment is what raft-wal preallocates at a time, in bytes.
const walSegment = 16 << 20

var errUnknownKind = errors.New("use segmented, wal or bolt")

// innerLog is a log as one of the kinds keeps it.
type innerLog interface {
	raft.LogStore
	io.Closer
}

// openInner opens or creates the log of a kind in dir. What is found in a
// segmented one is to be given to its Begin; needed is segmented.Config's.
func openInner(cfg Config, kind Kind, needed func() uint64) (innerLog, segmented.Found, error) {
	var none segmented.Found
	if kind == Segmented {
		return openSegmented(cfg, needed)
	}
	dir := cfg.Disk.Path(cfg.Dir)
	if dir == "" {
		return nil, none, fmt.Errorf("log store %q needs a directory of the operating system", kind)
	}
	if err := cfg.Disk.MakeDir(cfg.Dir); err != nil {
		return nil, none, err
	}
	switch kind {
	case WAL:
		at := filepath.Join(dir, walDir)
		if err := disk.MakeDir(at); err != nil {
			return nil, none, err
		}
		w, err := wal.Open(at, wal.WithLogger(cfg.Logger), wal.WithSegmentSize(walSegment))
		if err != nil {
			return nil, none, fmt.Errorf("open the log in %s: %w", at, err)
		}
		return w, none, nil
	case Bolt:
		b, err := raftboltdb.New(raftboltdb.Options{
			Path:        filepath.Join(dir, logFile),
			BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
		})
		if err != nil {
			return nil, none, fmt.Errorf("open the log: %w", err)
		}
		// bbolt syncs its files and not that they are there.
		if err := cfg.Disk.SyncDir(cfg.Dir); err != nil {
			return nil, none, errors.Join(err, b.Close())
		}
		return b, none, nil
	}
	return nil, none, fmt.Errorf("log store %q is not known: %w", kind, errUnknownKind)
}

func openSegmented(cfg Config, needed func() uint64) (innerLog, segmented.Found, error) {
	l, found, err := segmented.Open(segmented.Config{
		Disk: cfg.Disk, Dir: path.Join(cfg.Dir, segmentedDir), SegmentBytes: cfg.SegmentBytes, SpareBytes: cfg.SpareBytes, Logger: cfg.Logger,
		Needed: needed,
	})
	if err != nil {
		return nil, found, err
	}
	return l, found, nil
}

// present are the kinds of which there is something in the directory.
func present(d disk.Disk, dir string) (kinds []Kind, err error) {
	names, err := d.List(path.Join(dir, segmentedDir))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			kinds = append(kinds, Segmented)
			break
		}
	}
	if real := d.Path(dir); real != "" {
		if _, err := os.Stat(filepath.Join(real, walDir)); err == nil {
			kinds = append(kinds, WAL)
		}
	}
	f, err := d.Open(path.Join(dir, logFile))
	if isNotExist(err) {
		return kinds, nil
	}
	if err == nil {
		err = f.Close()
	}
	return append(kinds, Bolt), err
}

// removeKind removes a log, durably.
func removeKind(d disk.Disk, dir string, kind Kind) error {
	switch kind {
	case Segmented:
		names, err := d.List(path.Join(dir, segmentedDir))
		for _, name := range names {
			err = errors.Join(err, d.Remove(path.Join(dir, segmentedDir, name)))
		}
		if err != nil || len(names) == 0 {
			return err
		}
		return d.SyncDir(path.Join(dir, segmentedDir))
	case WAL:
		at := filepath.Join(d.Path(dir), walDir)
		if d.Path(dir) == "" {
			return nil
		}
		if _, err := os.Stat(at); isNotExist(err) {
			return nil
		}
		if err := os.RemoveAll(at); err != nil {
			return err
		}
		return d.SyncDir(dir)
	case Bolt:
		if err := d.Remove(path.Join(dir, logFile)); err != nil {
			if isNotExist(err) {
				return nil
			}
			return err
		}
		return d.SyncDir(dir)
	}
	return nil
}

// kindOf is what the directory's log is kept by: "" in a new directory. marked
// is false in one from before the kind was written down, mended is true where a
// byte of it has rotted.
func kindOf(d disk.Disk, dir string) (kind Kind, marked, mended bool, err error) {
	b, err := disk.ReadFile(d, path.Join(dir, kindFile), maxKind)
	switch {
	case err == nil:
		if kind = Kind(strings.TrimSpace(string(b))); kind.Known() {
			return kind, true, false, nil
		}
		if near := nearKind(b); near != "" {
			return near, true, true, nil
		}
		return "", true, false, fmt.Errorf("the log is kept by %q, which this skerry does not know: upgrade this node", kind)
	case !isNotExist(err):
		return "", false, false, err
	}
	kinds, err := present(d, dir)
	if err != nil || len(kinds) == 0 {
		return "", false, false, err
	}
	if len(kinds) > 1 {
		return "", false, false, fmt.Errorf("the directory has logs of %v and does not say which counts", kinds)
	}
	return kinds[0], false, false, nil
}

// nearKind is the kind that was written before one byte of its file rotted, ""
// where it was something else.
func nearKind(b []byte) Kind {
	for _, k := range Kinds {
		text := string(k) + "\n"
		if len(b) != len(text) {
			continue
		}
		other := 0
		for i := range b {
			if b[i] != text[i] {
				other++
			}
		}
		if other <= 1 {
			return k
		}
	}
	return ""
}

// markKind writes down which log counts. It takes effect at once or not at all.
func markKind(d disk.Disk, dir string, kind Kind) error {
	return disk.WriteFile(d, path.Join(dir, kindFile), func(w io.Writer) error {
		_, err := fmt.Fprintln(w, kind)
		return err
	})
}
