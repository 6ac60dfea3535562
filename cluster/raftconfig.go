package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore"
)

// raftDir is where raft's stores are in the data directory.
const raftDir = "raft"

const (
	// never is a threshold that raft's own snapshot timer does not reach:
	// skerry takes snapshots by bytes of log.
	never = 1 << 62
)

// hearsWithin is how often an idle leader tells the followers what is committed,
// and so half of how late they learn of the last entry at most: that a key was
// revoked, or what their observers wait for. It costs them no disk write.
const hearsWithin = 100 * time.Millisecond

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = n.id.ID
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = n.profile.heartbeat, n.profile.election, n.profile.lease
	c.CommitTimeout = min(n.profile.heartbeat/6, hearsWithin)
	c.MaxAppendEntries = 64
	// With a buffer between the committer and raft's main loop an entry could be in
	// it when the loop ends, and nobody would answer it.
	c.BatchApplyCh = false
	c.SnapshotThreshold = never
	c.NotifyCh = n.notify
	c.Logger = hclogTo(n.log)
	return c
}

// sparePart is the part of a disk that the log's store may keep to itself.
const sparePart = 32

// spareBytes is what the log's store keeps in files to be used again: what one
// snapshot has it drop, which is written anew before the next.
func (n *Node) spareBytes() int64 {
	space, err := n.disk.Space()
	if err != nil {
		return 0
	}
	return min(n.profile.snapshotBytes, space.Total/sparePart)
}

// openLogs opens raft's stores.
func (n *Node) openLogs() (*logstore.Store, error) {
	return logstore.Open(logstore.Config{
		Disk: n.disk, Dir: raftDir, Kind: n.cfg.LogStore, Logger: hclogTo(n.log),
		Failed: n.fail, Stall: n.profile.stall, SegmentBytes: n.cfg.Seams.SegmentBytes, SpareBytes: n.spareBytes(),
	})
}

const lockFile = "lock"

// lockDir takes the data directory for this process alone.
func lockDir(dir string) (release func() error, err error) {
	if err := disk.MakeDir(dir); err != nil {
		return nil, notWritten(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, notWritten(dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // it was never ours
		return nil, fmt.Errorf("the data directory %s is in use by another process: stop that one or name another --data", dir)
	}
	// Nothing else is as sure to be asked of the disk before anything is in it.
	if err := f.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("the disk of the data directory %s takes no fsync (%w), so nothing that it is given is sure to be kept: name a directory on another disk with --data; skerry doctor examines one", dir, err), f.Close())
	}
	return f.Close, nil
}

// notWritten says what to do about a directory in which nothing can be made.
func notWritten(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the data directory %s is on a disk that is read-only: mount it for writing, or name another --data: %w", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the data directory %s may not be written to: give it to the user that runs skerry, or name another --data: %w", dir, err)
	}
	return fmt.Errorf("--data: %w", err)
}

// hclogTo passes raft's lines on. What raft calls an error while it looks for
// peers is daily bread here, so all but errors are debug lines.
func hclogTo(l *slog.Logger) hclog.Logger {
	sink := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: raftLog{l}, DisableTime: true})
	if !l.Enabled(context.Background(), slog.LevelDebug) {
		sink.SetLevel(hclog.Error)
	}
	return sink
}

// raftLog takes lines of hclog, "[LEVEL] name: message: key=value".
type raftLog struct{ l *slog.Logger }

func (r raftLog) Write(b []byte) (int, error) {
	level, text := splitLevel(string(b))
	if level > slog.LevelWarn {
		level = slog.LevelWarn
	} else {
		level = slog.LevelDebug
	}
	r.l.Log(context.Background(), level, "raft: "+text)
	return len(b), nil
}

// gossipLog takes memberlist's lines, "[LEVEL] memberlist: message".
type gossipLog struct{ l *slog.Logger }

func (g gossipLog) Write(b []byte) (int, error) {
	_, text := splitLevel(string(b))
	g.l.Debug("gossip: " + text)
	return len(b), nil
}

func splitLevel(line string) (slog.Level, string) {
	line = strings.TrimSpace(line)
	for word, level := range map[string]slog.Level{
		"[ERROR]": slog.LevelError, "[ERR]": slog.LevelError, "[WARN]": slog.LevelWarn, "[INFO]": slog.LevelInfo,
		"[DEBUG]": slog.LevelDebug, "[TRACE]": slog.LevelDebug,
	} {
		if rest, ok := strings.CutPrefix(line, word); ok {
			return level, strings.TrimSpace(rest)
		}
	}
	return slog.LevelInfo, line
}
