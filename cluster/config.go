package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/gossip"
	"skerry/cluster/logstore"
	"skerry/cluster/transport"
	"skerry/fsm"
)

// Config is what a node is told.
type Config struct {
	Name string // lower-case letters, digits and '-', unique in the site, at most 40 bytes
	Site string // as Name
	Dir  string // the data directory; one process at a time

	Cluster   string // host:port for raft and calls, TCP
	Gossip    string // host:port, TCP and UDP
	Advertise string // host told to the others, "" for the one bound
	HTTP      string // addresses told to the others, not bound here
	CoAP      string

	BootstrapExpect int      // nodes that begin a new site together, 1 or more
	Join            []string // gossip addresses of any nodes of the site

	Profile  string        // "ssd", "sdcard" or "wan"; "" is ssd
	LogStore logstore.Kind // "" is what the directory has, segmented in a new one
	// SnapshotBytes is how much log there is between two snapshots; 0 is the
	// profile's.
	SnapshotBytes int64
	Linger        time.Duration // how long a reading may wait for company; 0 is the profile's, NoLinger does not wait
	// Reserve is the room on the disk, in bytes, that is kept back for the log
	// and for snapshots. 0 is the profile's, within a share of the disk; a disk
	// of Seams then has none. Below it the node counts as short of room.
	Reserve int64

	FetchRate int64 // bytes per second that are fetched from peers; 0 is the profile's
	ScrubRate int64 // bytes per second that the scrub reads; 0 reads everything in a week
	// NoReplaceWait lets a directory that was replaced several times enter its
	// site at once: for trials and tests that break it on purpose.
	NoReplaceWait bool

	Version string
	Logger  *slog.Logger // nil discards
	Seams   Seams
}

// NoLinger has readings wait for nobody, whatever the profile.
const NoLinger time.Duration = -1

// Seams are where a test puts its own parts. The zero value is the real ones.
type Seams struct {
	Disk    disk.Disk
	Network func(raft.ServerID) (transport.Network, error)
	Gossip  func(gossip.Peer) (gossip.Gossip, error)
	Wall    func() time.Time // the node's wall clock
	// Level is the newest level that the node knows, as if it were of an older
	// version or, with fsm.TrialLevel, the next. 0 is fsm.NewestLevel.
	Level fsm.Level

	Unmerged bool // small files stay as they are
	// Log wraps the log on the disk.
	Log func(raft.LogStore) raft.LogStore
	// SegmentBytes is the size of the log's segments, 0 for the usual.
	SegmentBytes int64
}

// profile is what depends on the kind of disk and network.
type profile struct {
	// heartbeat is the silence after which a follower calls an election, one
	// to two times over. election is how long it waits for votes, one to two
	// times over: each vote is two fsyncs, so it is for slow disks to finish
	// one, and costs nothing where they are quick (decision 0007).
	heartbeat, election, lease time.Duration
	// patience is how long a starting node waits for servers that do not answer
	// before a majority's word is enough; see earnTrust.
	patience      time.Duration
	stall         time.Duration // a write of the log or votes that takes longer ends the process
	snapshotBytes int64         // of log between two snapshots
	reserveBytes  int64         // of the disk, at most
	queueBytes    int           // proposals that wait for an entry
	// linger is how long a reading waits for others: a disk write takes a page
	// of flash whether it holds one or a hundred.
	linger            time.Duration
	windowBytes       uint64
	cutRows, cutBytes uint64
	// Bytes per second, so that the log has the disk when it needs it, and
	// whoever waits for an answer the processor: a merge spends some 0.1 us of it a byte.
	fetchBytes, scrubBytes, mergeBytes int64
}

var profiles = map[string]profile{
	"ssd": {
		heartbeat: 300 * time.Millisecond, election: time.Second, lease: 200 * time.Millisecond, stall: 2 * time.Second, patience: time.Second,
		snapshotBytes: 256 << 20, reserveBytes: 64 << 20, queueBytes: 16 << 20, windowBytes: 512 << 20, cutRows: 1 << 20, cutBytes: 16 << 20,
		fetchBytes: 8 << 20, scrubBytes: 8 << 20, mergeBytes: 2 << 20,
	},
	"sdcard": {
		heartbeat: 3 * time.Second, election: 5 * time.Second, lease: 2500 * time.Millisecond, stall: 10 * time.Second, patience: 5 * time.Second, linger: 40 * time.Millisecond,
		snapshotBytes: 64 << 20, reserveBytes: 32 << 20, queueBytes: 4 << 20, windowBytes: 32 << 20, cutRows: 1 << 20, cutBytes: 16 << 20,
		fetchBytes: 2 << 20, scrubBytes: 1 << 20, mergeBytes: 1 << 20,
	},
	"wan": {
		heartbeat: 2 * time.Second, election: 2 * time.Second, lease: time.Second, stall: 10 * time.Second, patience: 3 * time.Second,
		snapshotBytes: 256 << 20, reserveBytes: 64 << 20, queueBytes: 16 << 20, windowBytes: 512 << 20, cutRows: 1 << 20, cutBytes: 16 << 20,
		fetchBytes: 512 << 10, scrubBytes: 8 << 20, mergeBytes: 2 << 20,
	},
}

var nameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// logger is where the node says what happens.
func (c *Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

// withDefaults validates c and fills what was left out.
func (c Config) withDefaults() (Config, error) {
	for what, name := range map[string]string{"--name": c.Name, "--site": c.Site} {
		if !nameRule.MatchString(name) {
			return c, fmt.Errorf("%s %q: use 1 to 40 lower-case letters, digits and '-'", what, name)
		}
	}
	if c.Dir == "" && c.Seams.Disk == nil {
		return c, errors.New("--data: name a directory of this node's own")
	}
	if c.BootstrapExpect < 1 || c.BootstrapExpect > 9 {
		return c, fmt.Errorf("--bootstrap-expect %d: a site begins with 1 to 9 nodes", c.BootstrapExpect)
	}
	if c.Profile == "" {
		c.Profile = "ssd"
	}
	if _, ok := profiles[c.Profile]; !ok {
		return c, fmt.Errorf("--profile %q is not known: use ssd, sdcard or wan", c.Profile)
	}
	if c.LogStore != "" && !c.LogStore.Known() {
		return c, fmt.Errorf("--log-store %q is not known: use segmented, wal or bolt", c.LogStore)
	}
	switch {
	case c.Linger == 0:
		c.Linger = profiles[c.Profile].linger
	case c.Linger == NoLinger:
		c.Linger = 0
	case c.Linger < 0 || c.Linger > time.Second:
		return c, fmt.Errorf("--linger %s: use 0 to 1s", c.Linger)
	}
	if c.Reserve < 0 {
		return c, errors.New("--reserve: use bytes, or 0 for the profile's own")
	}
	if c.FetchRate < 0 || c.ScrubRate < 0 {
		return c, errors.New("--fetch-rate and --scrub-rate: use bytes per second, or 0 for the profile's own")
	}
	c.Logger = c.logger()
	if c.Seams.Wall == nil {
		c.Seams.Wall = time.Now
	}
	if c.Seams.Level == 0 {
		c.Seams.Level = fsm.NewestLevel
	}
	return c, nil
}
