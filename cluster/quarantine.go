package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/summed"
)

// A server whose directory can no longer be trusted (its votes are damaged, its
// log is gone, its state differs from that of the others) must not go on under
// its name in raft's configuration: it may have promised what it no longer
// knows. It leaves a mark, durably, and ends. At the next start what the
// directory holds is set aside, and the node enters its site as a new server,
// to which the others bring the data; the leader removes the old one.

const (
	quarantineFile = "quarantine.json"
	// asideDir holds what was set aside last, under the server's ID, until room
	// is short.
	asideDir   = "aside"
	asideEvery = time.Minute // between two looks at the room for it
)

// ErrQuarantined: this server's directory is marked. It is set aside when the
// node starts again.
var ErrQuarantined = errors.New("this server can no longer be trusted: when it is started again its data is set aside, and the others bring it back")

// mark is quarantineFile.
type mark struct {
	Site   string        `json:"site"`
	Name   string        `json:"name"`
	Server raft.ServerID `json:"server"`
	Reason string        `json:"reason"`
}

// quarantine marks the directory and returns the reason as ErrQuarantined. The
// only server of a site is not marked: nobody could bring its data back.
func (n *Node) quarantine(reason error) error {
	if n.onlyServer() {
		return fmt.Errorf("%w: this is the only node of its site, so nobody can bring its data back: move the directory away and restore the site from its bucket or a snapshot", reason)
	}
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	if n.marked {
		return fmt.Errorf("%w (%w)", ErrQuarantined, reason)
	}
	if !errors.Is(reason, errRemoved) { // which is no fault of the disk
		n.countReplacement()
	}
	m := mark{Site: n.cfg.Site, Name: n.cfg.Name, Server: n.id.ID, Reason: reason.Error()}
	if err := saveSummed(n.disk, quarantineFile, m); err != nil {
		return errors.Join(reason, fmt.Errorf("mark the directory: %w", err))
	}
	n.marked = true
	return fmt.Errorf("%w (%w)", ErrQuarantined, reason)
}

// onlyServer tells that this node is all there is of its site, as far as it
// knows: by its configuration, or before there is one by what it wrote down.
func (n *Node) onlyServer() bool {
	if n.raft != nil {
		servers, err := n.servers()
		return err == nil && len(servers) == 1 && servers[0].ID == n.id.ID
	}
	seen, _, err := loadSeen(n.disk)
	if err == nil && len(seen) == 0 {
		return n.cfg.BootstrapExpect == 1 && len(n.cfg.Join) == 0
	}
	return err == nil && len(seen) == 1 && nodeName(raft.ServerID(seen[0].ID)) == n.cfg.Name
}

// lostIdentity has a directory that does not say any more which server's it is
// set aside. The server is the one of this node's name that the site was seen
// with, as far as that is known.
func (n *Node) lostIdentity(why error) error {
	n.id = identity{ID: raft.ServerID(n.cfg.Name + ".unknown")}
	seen, _, _ := loadSeen(n.disk) // without it the name will do
	for _, s := range seen {
		if id := raft.ServerID(s.ID); nodeName(id) == n.cfg.Name {
			n.id.ID = id
		}
	}
	return n.quarantine(why)
}

// setAside empties a directory that is marked, and tells which server it was
// of. A directory of another node or site, or of a newer format, is refused and
// not touched.
func setAside(d disk.Disk, site, name string, newest int, log *slog.Logger) (was raft.ServerID, err error) {
	b, err := disk.ReadFile(d, quarantineFile, maxIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", quarantineFile, err)
	}
	var m mark
	if _, err := summed.Decode(b, &m); err != nil || m.Server == "" {
		return "", fmt.Errorf("%s is damaged: move the data directory away and start with an empty one; the site will bring the data back", quarantineFile)
	}
	if m.Site != site || m.Name != name {
		return "", fmt.Errorf("the data directory belongs to node %q of site %q, not to %q of %q: check --data, --name and --site", m.Name, m.Site, name, site)
	}
	if _, _, err := readIdentity(d, site, name, newest); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errIdentity) {
		return "", err
	}
	aside := path.Join(asideDir, string(m.Server))
	if err := disk.RemoveAll(d, asideDir, func(f string) bool { return !strings.HasPrefix(f, aside+"/") }); err != nil {
		return "", fmt.Errorf("remove what was set aside before: %w", err)
	}
	if err := disk.Move(d, ".", aside, func(f string) bool {
		return f == quarantineFile || f == replacedFile || f == lockFile || f == disk.ReserveFile || strings.HasPrefix(f, asideDir+"/")
	}); err != nil {
		return "", fmt.Errorf("set the data aside: %w", err)
	}
	if err := d.Remove(quarantineFile); err != nil {
		return "", err
	}
	log.Warn("the data of this node is set aside: it enters its site as a new server", "reason", m.Reason, "was", m.Server, "aside", d.Path(aside))
	return m.Server, d.SyncDir(".")
}

// mindAside removes what was set aside when room is short.
func (n *Node) mindAside(ctx context.Context) {
	for {
		if n.room.get() != roomOK {
			if err := disk.RemoveAll(n.disk, asideDir, func(string) bool { return true }); err != nil && !errors.Is(err, errors.ErrUnsupported) {
				n.log.Warn("what was set aside was not removed", "err", err)
			}
		}
		if pause(ctx, asideEvery) != nil {
			return
		}
	}
}
