package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/summed"
	"skerry/fsm"
)

const (
	identityFile = "node.json"
	maxIdentity  = 64 << 10
)

// errIdentity: the directory does not say any more which server's it is.
var errIdentity = errors.New(identityFile + " is damaged")

// identity is who a data directory belongs to. It is written when the
// directory is made and when the node pledges.
type identity struct {
	// Format is that of the newest level of which anything was written into the
	// directory; see raiseDir.
	Format int           `json:"format"`
	Site   string        `json:"site"`
	Name   string        `json:"name"`
	ID     raft.ServerID `json:"id"`
	// Pledge are the servers, by ID, with which this one agreed to begin the
	// site, once and for all.
	Pledge []raft.Server `json:"pledge,omitempty"`
	Left   bool          `json:"left,omitempty"` // the site removed it, for good
	// OldCopy says what showed that the directory is an older copy, where it led
	// before that was found out: it is not to lead again.
	OldCopy string `json:"old_copy,omitempty"`
	// InSite is set once there is a raft log. A server whose log is gone has
	// forgotten its votes and what it acknowledged: it is not the same server.
	InSite bool `json:"in_site,omitempty"`
	// Generation counts the starts in which the server took part.
	Generation uint64 `json:"generation,omitempty"`
	// Replaces is the server whose data was set aside, "" for none. Its site
	// exists, so this one never begins one.
	Replaces raft.ServerID `json:"replaces,omitempty"`
	// Lineage is of the site's history, hex; "" until the state has it.
	Lineage string `json:"lineage,omitempty"`
}

// loadIdentity reads the directory's identity, or makes a new one in the place
// of a server that was set aside, if there was one. It touches nothing of a
// directory of a newer format than newest. mended: a flipped bit was put right.
func loadIdentity(d disk.Disk, site, name string, newest int, replaces raft.ServerID) (id identity, mended bool, err error) {
	id, mended, err = readIdentity(d, site, name, newest)
	if mended {
		return id, true, id.save(d)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := nobodys(d); err != nil {
			return identity{}, false, err
		}
		var random [8]byte
		if _, err := rand.Read(random[:]); err != nil {
			return identity{}, false, err
		}
		id = identity{Format: dirFormat(fsm.FirstLevel), Site: site, Name: name, ID: raft.ServerID(name + "." + hex.EncodeToString(random[:])), Replaces: replaces}
		return id, false, id.save(d)
	}
	return id, false, err
}

// readIdentity reads the directory's identity. fs.ErrNotExist: it has none;
// errIdentity: nobody can tell. A damaged one that can be read as another
// node's, or as of a newer format, is taken for that: such a directory is not
// touched.
func readIdentity(d disk.Disk, site, name string, newest int) (id identity, mended bool, err error) {
	b, err := disk.ReadFile(d, identityFile, maxIdentity)
	if err != nil {
		return id, false, fmt.Errorf("read %s: %w", identityFile, err)
	}
	mended, damaged := summed.Decode(b, &id)
	switch {
	case damaged != nil && (id.Site == "" || id.Name == ""):
		return id, false, fmt.Errorf("%w: %w", errIdentity, damaged)
	case id.Format > newest:
		return identity{}, false, fmt.Errorf("the data directory has format %d and this skerry knows up to %d: upgrade this node", id.Format, newest)
	case id.Left:
		return identity{}, false, errors.New("the node of this data directory left its site: start with an empty directory to join again")
	case id.OldCopy != "":
		return identity{}, false, fmt.Errorf("%w (%s)", ErrOldCopy, id.OldCopy)
	case id.Site != site:
		return identity{}, false, fmt.Errorf("the data directory belongs to site %q, not %q: check --data and --site", id.Site, site)
	case id.Name != name:
		return identity{}, false, fmt.Errorf("the data directory belongs to node %q, not %q: check --data and --name", id.Name, name)
	case damaged != nil:
		return id, false, fmt.Errorf("%w: %w", errIdentity, damaged)
	}
	return id, mended, nil
}

// nobodys refuses a directory that lost its identity: under a new one its votes
// and its log would be another server's.
func nobodys(d disk.Disk) error {
	for _, dir := range []string{"raft", "raft/wal", "raft/log", "raft/snapshots", "segments"} {
		names, err := d.List(dir)
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fmt.Errorf("the data directory holds %s/%s of a node and no %s: put that file back, or move the directory away and start with an empty one; the site will bring the data back", dir, names[0], identityFile)
		}
	}
	return nil
}

func (id identity) save(d disk.Disk) error {
	return saveSummed(d, identityFile, id)
}

// saveSummed puts a file of JSON in place.
func saveSummed(d disk.Disk, name string, v any) error {
	b, err := summed.Encode(v)
	if err != nil {
		return err
	}
	return disk.WriteFile(d, name, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// nodeName is the name in a ServerID.
func nodeName(id raft.ServerID) string {
	s := string(id)
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return s[:i]
	}
	return s
}
