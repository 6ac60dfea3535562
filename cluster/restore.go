package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/archive"
	"skerry/cluster/disk"
	"skerry/cluster/logstore"
	"skerry/fsm"
)

// RestoreConfig says what a snapshot file is restored into.
type RestoreConfig struct {
	Dir  string // the data directory to make: empty or not there
	Name string // of the node that it is for
	Site string // refused unless the file is of this site; "" takes any
}

// restoredTerm is the term of the snapshot that a restored history begins with.
// Terms count anew, below it none was voted in.
const restoredTerm = 1

// Restore makes a data directory of a snapshot file: that of the single founder
// of a site whose history goes on from the file, one incarnation later. Other
// nodes join it empty. The whole file is checked before anything is written, and
// the directory appears when it is complete. Errors: archive.ErrNot,
// archive.ErrNewer, archive.ErrDamaged.
func Restore(f io.ReaderAt, size int64, cfg RestoreConfig) (archive.Summary, error) {
	if !nameRule.MatchString(cfg.Name) {
		return archive.Summary{}, fmt.Errorf("--name %q: use 1 to 40 lower-case letters, digits and '-'", cfg.Name)
	}
	if err := vacant(cfg.Dir); err != nil {
		return archive.Summary{}, err
	}
	state, a, err := inspect(f, size)
	if err != nil {
		return archive.Summary{}, err
	}
	m := a.Manifest()
	if cfg.Site != "" && cfg.Site != m.Site {
		return archive.Summary{}, fmt.Errorf("the snapshot file is of site %q, not %q: check the file and --site", m.Site, cfg.Site)
	}
	var lineage [16]byte
	if _, err := rand.Read(lineage[:]); err != nil {
		return archive.Summary{}, err
	}
	state.Reincarnate(lineage)
	m.Incarnation, m.Lineage, m.Digest = state.Incarnation(), hex.EncodeToString(lineage[:]), state.DigestString()
	m.Level = uint32(state.Level())

	part := filepath.Clean(cfg.Dir) + ".restoring"
	if err := os.RemoveAll(part); err != nil { // of a restore that was broken off
		return archive.Summary{}, err
	}
	if err := restoreInto(part, f, size, state, cfg.Name); err != nil {
		return archive.Summary{}, errors.Join(err, os.RemoveAll(part))
	}
	if err := os.Remove(cfg.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return archive.Summary{}, err
	}
	if err := os.Rename(part, cfg.Dir); err != nil {
		return archive.Summary{}, err
	}
	return m, disk.NewOS(filepath.Dir(filepath.Clean(cfg.Dir))).SyncDir(".")
}

// vacant makes sure that nothing is in the way.
func vacant(dir string) error {
	if dir == "" {
		return errors.New("--data: name a directory to make")
	}
	names, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--data: %w", err)
	case len(names) > 0:
		return fmt.Errorf("the directory %s is not empty: name another --data, or move what is in it away", dir)
	}
	return nil
}

// restoreInto writes a data directory. Its identity comes last: without it a
// node takes the directory for empty.
func restoreInto(dir string, f io.ReaderAt, size int64, state *fsm.State, name string) error {
	if err := disk.MakeDir(dir); err != nil {
		return err
	}
	d := disk.NewOS(dir)
	if err := copyRows(d, f, size); err != nil {
		return err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	g, _ := state.Genesis()
	id := identity{
		Format: dirFormat(state.Level()), Site: g.Site, Name: name, ID: raft.ServerID(name + "." + hex.EncodeToString(random[:])), InSite: true,
	}
	if err := founderSnapshot(d, state, id.ID); err != nil {
		return err
	}
	return id.save(d)
}

// copyRows copies segments and open frames, each checked by its sum again.
func copyRows(d disk.Disk, f io.ReaderAt, size int64) error {
	a, err := archive.NewReader(io.NewSectionReader(f, 0, size))
	if err != nil {
		return err
	}
	frames := newFrameStore(d)
	defer frames.close()
	streams := map[archive.Kind]fsm.Stream{archive.Readings: fsm.Readings, archive.Frames: fsm.Frames}
	for {
		s, err := a.Next()
		if errors.Is(err, io.EOF) {
			return frames.sync()
		}
		if err != nil {
			return err
		}
		if stream, ok := streams[s.Kind]; ok {
			err = disk.WriteFile(d, segmentName(stream, fsm.Cut{First: fsm.Seq(s.First), Last: fsm.Seq(s.Last)}), func(w io.Writer) error {
				_, err := io.Copy(w, a)
				return err
			})
		} else if s.Kind == archive.Frame {
			var jpeg []byte
			if jpeg, err = io.ReadAll(a); err == nil {
				err = frames.put(fsm.Seq(s.First), jpeg)
			}
		}
		if err != nil {
			return err
		}
	}
}

// founderSnapshot is raft's beginning: a snapshot of the state whose only server
// is the founder. Where it is to be reached it says itself when it starts.
func founderSnapshot(d disk.Disk, state *fsm.State, id raft.ServerID) (err error) {
	logs, err := logstore.Open(logstore.Config{Disk: d, Dir: raftDir, Logger: hclog.NewNullLogger()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logs.Close()) }()
	if err := logs.Stable.SetUint64([]byte("CurrentTerm"), restoredTerm); err != nil {
		return err
	}
	index, _ := state.Digest()
	servers := raft.Configuration{Servers: []raft.Server{{ID: id, Address: raft.ServerAddress(nodeName(id))}}}
	sink, err := logs.Snapshots.Create(raft.SnapshotVersionMax, index, restoredTerm, servers, index, nil)
	if err != nil {
		return err
	}
	if _, err := state.Snapshot().WriteTo(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}
