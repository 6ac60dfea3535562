package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
)

// snapshotsKept is how many snapshots a node keeps, with its log back to the
// older one: if the newest rots, raft starts from the one before.
const snapshotsKept = 2

// snapshotDir is where raft's store keeps snapshots in its base directory.
const snapshotDir = "snapshots"

// dropOlder removes all snapshots but the newest. It is called when a leader's
// snapshot was installed: the log then begins after it, and raft would fall
// back to an older one without a word, across the hole between them.
func dropOlder(base string, store raft.SnapshotStore) error {
	list, err := store.List() // newest first
	if err != nil {
		return err
	}
	for i, s := range list {
		if i == 0 {
			continue
		}
		if err := os.RemoveAll(filepath.Join(base, snapshotDir, s.ID)); err != nil {
			return fmt.Errorf("remove snapshot %s: %w", s.ID, err)
		}
	}
	if len(list) < 2 {
		return nil
	}
	return disk.NewOS(base).SyncDir(snapshotDir)
}
