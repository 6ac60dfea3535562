package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/fsm"
)

const (
	identityFile = "node.json"
	maxIdentity  = 64 << 10
)

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
	// InSite is set once there is a raft log. A server whose log is gone has
	// forgotten its votes and what it acknowledged: it is not the same server.
	InSite bool `json:"in_site,omitempty"`
	// Generation counts the starts in which the server took part.
	Generation uint64 `json:"generation,omitempty"`
	// Replaces is the server whose data was set aside, "" for none. Its site
	// exists, so this one never begins one.
	Replaces raft.ServerID `json:"replaces,omitempty"`
}

// loadIdentity reads the directory's identity, or makes a new one in the place
// of a server that was set aside, if there was one. It touches nothing of a
// directory of a newer format than newest.
func loadIdentity(d disk.Disk, site, name string, newest int, replaces raft.ServerID) (identity, error) {
	id, err := readIdentity(d, site, name, newest)
	if errors.Is(err, fs.ErrNotExist) {
		if err := nobodys(d); err != nil {
			return identity{}, err
		}
		var random [8]byte
		if _, err := rand.Read(random[:]); err != nil {
			return identity{}, err
		}
		id = identity{Format: dirFormat(fsm.FirstLevel), Site: site, Name: name, ID: raft.ServerID(name + "." + hex.EncodeToString(random[:])), Replaces: replaces}
		return id, id.save(d)
	}
	return id, err
}

// readIdentity reads the directory's identity. fs.ErrNotExist: it has none.
func readIdentity(d disk.Disk, site, name string, newest int) (identity, error) {
	b, err := disk.ReadFile(d, identityFile, maxIdentity)
	if err != nil {
		return identity{}, fmt.Errorf("read %s: %w", identityFile, err)
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil {
		return identity{}, fmt.Errorf("%s is damaged (%w): move the directory away and start with an empty one; the site will bring the data back", identityFile, err)
	}
	switch {
	case id.Format > newest:
		return identity{}, fmt.Errorf("the data directory has format %d and this skerry knows up to %d: upgrade this node", id.Format, newest)
	case id.Left:
		return identity{}, errors.New("the node of this data directory left its site: start with an empty directory to join again")
	case id.Site != site:
		return identity{}, fmt.Errorf("the data directory belongs to site %q, not %q: check --data and --site", id.Site, site)
	case id.Name != name:
		return identity{}, fmt.Errorf("the data directory belongs to node %q, not %q: check --data and --name", id.Name, name)
	}
	return id, nil
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
	return disk.WriteFile(d, identityFile, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(id)
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
