package cluster

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"skerry/cluster/disk"
)

// A server that is replaced by a new one has all of the site's data brought to it
// again. What makes that necessary may be there for good, a bad card or bad memory:
// a directory that is replaced again and again stays out of its site for a while, each
// time for longer, and the others go on without it.

const (
	// replacedFile counts how often the directory was replaced lately. It is not set
	// aside with the rest.
	replacedFile = "replaced.json"
	// replacedWithin is how long ago, by the node's wall clock, a replacement is
	// forgotten.
	replacedWithin = 24 * time.Hour
	// replaceWait is how long a directory stays out that was replaced twice; each
	// further time is twice as long, maxReplaceWait at most.
	replaceWait    = time.Minute
	maxReplaceWait = time.Hour
)

// errStaysOut is of a server that is not to be added yet.
var errStaysOut = errors.New("it was replaced several times and stays out for a while")

// replaced is replacedFile. One that is gone or damaged counts none.
type replaced struct {
	Times int   `json:"times"` // in a row, each within replacedWithin of the one before
	At    int64 `json:"at"`    // of the last, seconds since 1970 UTC
}

func loadReplaced(d disk.Disk) (r replaced) {
	b, err := disk.ReadFile(d, replacedFile, maxIdentity)
	if err != nil || json.Unmarshal(b, &r) != nil || r.Times < 0 {
		return replaced{}
	}
	return r
}

// again counts one more. A clock that stepped back, or was never set, forgets none.
func (r replaced) again(now time.Time) replaced {
	if since := now.Sub(time.Unix(r.At, 0)); !clockUnknown(now) && since > replacedWithin {
		r.Times = 0
	}
	return replaced{Times: r.Times + 1, At: now.Unix()}
}

// wait is how long the directory stays out of its site.
func (r replaced) wait() time.Duration {
	if r.Times < 2 {
		return 0
	}
	wait := replaceWait
	for range r.Times - 2 {
		if wait *= 2; wait >= maxReplaceWait {
			return maxReplaceWait
		}
	}
	return wait
}

// countReplacement notes that the directory will be replaced. Where it cannot be
// noted that is no reason to keep it.
func (n *Node) countReplacement() {
	r := loadReplaced(n.disk).again(n.cfg.Seams.Wall())
	err := disk.WriteFile(n.disk, replacedFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(r) })
	if err != nil {
		n.log.Warn("it was not noted how often this node was replaced", "err", err)
	}
}

// stayOut has a new server in the place of an earlier one wait, if that happened
// several times.
func (n *Node) stayOut() {
	r := loadReplaced(n.disk)
	wait := r.wait()
	if wait == 0 || n.cfg.NoReplaceWait || n.id.Replaces == "" || n.id.InSite {
		return
	}
	n.enterAt = time.Now().Add(wait)
	n.log.Warn("this node was replaced several times, and stays out of its site for a while: look after its disk and its memory",
		"times", r.Times, "wait", wait)
}

// staysOut reports that the leader is not to add this server yet.
func (n *Node) staysOut() bool { return !n.enterAt.IsZero() && time.Now().Before(n.enterAt) }
