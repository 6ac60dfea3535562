package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
	"skerry/cluster/summed"
	"skerry/fsm"
)

// MoveLog brings the raft log of a data directory to another store. It takes
// the directory for itself, so it is refused while a node runs on it; a
// directory that is no node's, or of a newer format, is not touched.
func MoveLog(dir string, to logstore.Kind) (moved logstore.Moved, err error) {
	if _, err := os.Stat(filepath.Join(dir, identityFile)); errors.Is(err, fs.ErrNotExist) {
		return moved, fmt.Errorf("--data %s is no node's data directory: it has no %s", dir, identityFile)
	} else if err != nil {
		return moved, err
	}
	release, err := lockDir(dir)
	if err != nil {
		return moved, err
	}
	defer func() { err = errors.Join(err, release()) }()
	d := disk.NewOS(dir)
	b, err := disk.ReadFile(d, identityFile, maxIdentity)
	if err != nil {
		return moved, err
	}
	var id identity
	_, _ = summed.Decode(b, &id) // readIdentity says what is wrong
	if _, _, err := readIdentity(d, id.Site, id.Name, dirFormat(fsm.NewestLevel)); errors.Is(err, errIdentity) {
		return moved, fmt.Errorf("%w: start the node once, which puts that right", err)
	} else if err != nil {
		return moved, err
	}
	return logstore.Move(logstore.Config{Disk: d, Dir: raftDir, Logger: hclog.NewNullLogger()}, to)
}
