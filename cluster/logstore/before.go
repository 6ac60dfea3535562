package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/snapshots"
)

// stableFile is where votes were before they had a file of their own.
const stableFile = "stable.bolt"

// takeOver brings votes and snapshots of a directory from before the kind was
// written down to where they are now. It may be cut short anywhere: nothing old
// is removed before its successor is durable, and nothing is used before the
// kind is written.
func takeOver(cfg Config) error {
	real := cfg.Disk.Path(cfg.Dir)
	if real == "" {
		return nil // there were no others
	}
	if err := takeVotes(cfg, filepath.Join(real, stableFile)); err != nil {
		return err
	}
	return takeSnapshots(cfg, real)
}

func takeVotes(cfg Config, old string) error {
	if _, err := os.Stat(old); isNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	b, err := raftboltdb.New(raftboltdb.Options{Path: old})
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrVotes, old, err)
	}
	votes := map[string]string{}
	for _, key := range []string{keyTerm, keyVoteTerm, keyCandidate} {
		value, err := b.Get([]byte(key))
		if errors.Is(err, raftboltdb.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return errors.Join(err, b.Close())
		}
		votes[key] = string(value)
	}
	if err := b.Close(); err != nil {
		return err
	}
	if len(votes) == 0 {
		// Opened once and never voted, or emptied: Open tells them apart.
		return errors.Join(os.Remove(old), cfg.Disk.SyncDir(cfg.Dir))
	}
	v, err := createVotes(cfg.Disk, path.Join(cfg.Dir, votesFile), votes, newGuard(nil, 0))
	if err != nil {
		return err
	}
	return errors.Join(v.close(), os.Remove(old), cfg.Disk.SyncDir(cfg.Dir))
}

// takeSnapshots copies raft's snapshots, directories of two files, into ours.
func takeSnapshots(cfg Config, real string) error {
	dirs, err := os.ReadDir(filepath.Join(real, snapshotDir))
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var old []string
	for _, d := range dirs {
		if d.IsDir() {
			old = append(old, filepath.Join(real, snapshotDir, d.Name()))
		}
	}
	if len(old) == 0 {
		return nil
	}
	from, err := raft.NewFileSnapshotStoreWithLogger(real, SnapshotsKept, hclog.NewNullLogger())
	if err != nil {
		return err
	}
	to, err := snapshots.Open(cfg.Disk, path.Join(cfg.Dir, snapshotDir), SnapshotsKept, cfg.Logger)
	if err != nil {
		return err
	}
	list, err := from.List()
	if err != nil {
		return err
	}
	for i := len(list) - 1; i >= 0; i-- { // oldest first
		if err := takeSnapshot(from, to, list[i], cfg.Logger); err != nil {
			return err
		}
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return disk.NewOS(real).SyncDir(snapshotDir)
}

func takeSnapshot(from *raft.FileSnapshotStore, to *snapshots.Store, m *raft.SnapshotMeta, log hclog.Logger) error {
	have, err := to.List()
	if err != nil {
		return err
	}
	for _, h := range have {
		if h.Index == m.Index && h.Term == m.Term {
			return nil
		}
	}
	_, data, err := from.Open(m.ID)
	if err != nil {
		log.Warn("a snapshot is damaged and left behind", "snapshot", m.ID, "error", err)
		return nil
	}
	sink, err := to.Create(m.Version, m.Index, m.Term, m.Configuration, m.ConfigurationIndex, nil)
	if err == nil {
		if _, err = io.Copy(sink, data); err == nil {
			err = sink.Close()
		} else {
			err = errors.Join(err, sink.Cancel())
		}
	}
	return errors.Join(err, data.Close())
}
