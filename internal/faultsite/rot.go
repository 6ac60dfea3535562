package faultsite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"skerry/internal/faultfs"
)

const (
	// foundWithin is how long a node that starts may take to find what has rotted:
	// it reads its whole history at rotScrubRate, and its next snapshot takes the
	// place of a damaged one.
	foundWithin  = time.Minute
	rotScrubRate = "67108864" // bytes a second

	votesPath    = "data/raft/votes"
	snapshotsDir = "data/raft/snapshots/"
	readingsDir  = "data/segments/readings/"
	logDir       = "data/raft/log/"

	saysReplaced = "it enters its site as a new server"
	saysMended   = "a file was damaged on disk and is put right"
	saysDamaged  = "the log is damaged"
)

// rotCounts are what became of flipped bits.
type rotCounts struct {
	flips, running  int // running: of nodes that ran meanwhile
	dropped         int // what they were in was dropped before anybody read it
	found, repaired int
	kinds           [5]int
	replaced        [5]int // nodes that came back as new servers
}

// rotKinds are what rots, in turn.
var rotKinds = [5]string{"files of readings", "log", "votes", "snapshots", "identity"}

// rot flips bits at rest, of one node at a time. Each must be found, and what it
// spoiled come back from a copy or from the other nodes; or the node becomes a new
// server by itself.
func rot(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: append([]string{"--scrub-rate", rotScrubRate}, snapshotOften...)})
	if err != nil {
		return err
	}
	var c rotCounts
	done := 0
	err = until(ctx, foundWithin, func() error {
		for _, n := range t.Nodes {
			if len(n.files(readingsDir, ".parquet")) == 0 || len(n.files(snapshotsDir, ".snap")) == 0 {
				return fmt.Errorf("%s: %w", n.Name, errNothingToRot)
			}
		}
		return nil
	})
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, time.Second, 3*time.Second)
		n := t.Nodes[t.Draw.IntN(len(t.Nodes))]
		if err = t.rotOne(ctx, n, done%len(rotKinds), &c); err != nil {
			err = fmt.Errorf("rot in the %s of %s: %w", rotKinds[done%len(rotKinds)], n.Name, err)
		} else {
			err = t.settled(ctx)
		}
	}
	each := make([]string, len(rotKinds))
	replaced := 0
	for i, kind := range rotKinds {
		each[i] = fmt.Sprintf("%d %s", c.kinds[i], kind)
		if c.replaced[i] > 0 {
			each[i] += fmt.Sprintf(" (%d replaced)", c.replaced[i])
		}
		replaced += c.replaced[i]
	}
	return t.finish(ctx, err, fmt.Sprintf("%d flips: %s; %d of running nodes; %d of no consequence, %d found, %d repaired, %d nodes replaced by themselves",
		c.flips, strings.Join(each, ", "), c.running, c.dropped, c.found, c.repaired, replaced))
}

// rotOne flips bits of one kind on a node, which is down or is killed after it,
// and waits until that is found and put right.
func (t *trial) rotOne(ctx context.Context, n *Node, kind int, c *rotCounts) error {
	running := t.Draw.IntN(2) == 0
	if !running {
		n.Down()
		n.Gone()
	}
	said := n.saidBytes()
	find, err := [5]func(*Node) (func(since string) error, error){t.rotReadings, t.rotLog, t.rotVotes, t.rotSnapshot, t.rotIdentity}[kind](n)
	if errors.Is(err, errNothingToRot) {
		return n.Start()
	}
	if err != nil {
		return err
	}
	c.flips++
	c.kinds[kind]++
	if running {
		c.running++
		n.Kill()
	} else if err := n.Start(); err != nil {
		return err
	}
	dropped := false
	err = until(ctx, foundWithin, func() error {
		err := find(n.saidSince(said))
		dropped = errors.Is(err, errDropped)
		if dropped {
			return nil
		}
		return err
	})
	if dropped {
		c.dropped++
		return nil
	}
	if err != nil {
		return violation("it was not found: %v", err)
	}
	c.found++
	if strings.Contains(n.saidSince(said), saysReplaced) {
		c.replaced[kind]++
	} else {
		c.repaired++
	}
	return nil
}

// errDropped: what rotted was dropped before anybody read it.
var errDropped = errors.New("it was dropped")

// errNothingToRot: the node has no such file yet.
var errNothingToRot = errors.New("there is nothing to rot")

// settled waits until every node is whole and the site has no more servers than
// nodes, so that the next fault meets a minority again.
func (t *trial) settled(ctx context.Context) error {
	if err := t.recovered(ctx); err != nil {
		return err
	}
	err := until(ctx, restTimeout, func() error {
		for _, n := range t.Nodes {
			st, err := n.Status(ctx)
			switch {
			case err != nil:
				return err
			case st.State != "leader" && st.State != "follower":
				return fmt.Errorf("%s is %s", n.Name, st.State)
			case st.Missing > 0:
				return fmt.Errorf("%s lacks %d cuts", n.Name, st.Missing)
			}
			var list struct {
				Members []struct{ ID, Role string }
			}
			if err := n.get(ctx, "/v1/members", &list); err != nil {
				return err
			}
			voters := 0
			for _, m := range list.Members {
				if m.Role == "leader" || m.Role == "voter" {
					voters++
				}
			}
			if voters != len(t.Nodes) || len(list.Members) != voters {
				return fmt.Errorf("%s names %v", n.Name, list.Members)
			}
		}
		return nil
	})
	if err != nil {
		return violation("the site is not whole again: %v", err)
	}
	return nil
}

// rotReadings flips a bit of a file of readings. The node must set it aside.
func (t *trial) rotReadings(n *Node) (func(string) error, error) {
	files := inUse(n.files(readingsDir, ".parquet"))
	if len(files) == 0 {
		return nil, errNothingToRot
	}
	f := files[t.Draw.IntN(len(files))]
	if err := n.Disk.Flip(f.Name, t.Draw.Int64N(f.Size), uint(t.Draw.IntN(8))); err != nil {
		return nil, err
	}
	return func(said string) error {
		if !strings.Contains(said, path.Base(f.Name)) {
			return fmt.Errorf("nothing is said of %s", f.Name)
		}
		return nil
	}, nil
}

// inUse leaves out files whose rows were merged into a larger one: a node that
// starts removes them unread.
func inUse(files []faultfs.File) []faultfs.File {
	within := func(f, larger faultfs.File) bool {
		var first, last, from, to uint64
		_, err := fmt.Sscanf(path.Base(f.Name), "%d-%d.", &first, &last)
		_, err2 := fmt.Sscanf(path.Base(larger.Name), "%d-%d.", &from, &to)
		return err == nil && err2 == nil && f.Name != larger.Name && from <= first && last <= to
	}
	return slices.DeleteFunc(slices.Clone(files), func(f faultfs.File) bool {
		return slices.ContainsFunc(files, func(larger faultfs.File) bool { return within(f, larger) })
	})
}

// rotVotes flips a bit of one copy of the votes, which another copy makes good,
// or now and then one of every copy, after which the node must not vote.
func (t *trial) rotVotes(n *Node) (func(string) error, error) {
	b, err := n.Disk.ReadFile(votesPath)
	if err != nil {
		return nil, err
	}
	whole := wholeVotes(b)
	if len(whole) == 0 {
		return nil, errNothingToRot
	}
	all := t.Draw.IntN(3) == 0
	if !all {
		i := t.Draw.IntN(len(whole))
		whole = whole[i : i+1]
	}
	for _, at := range whole {
		if err := n.Disk.Flip(votesPath, at+t.Draw.Int64N(votesHead), uint(t.Draw.IntN(8))); err != nil {
			return nil, err
		}
	}
	return func(said string) error {
		if all {
			if !strings.Contains(said, saysReplaced) {
				return errors.New("the node goes on without votes")
			}
			return nil
		}
		b, err := n.Disk.ReadFile(votesPath)
		if err == nil && !slices.Contains(wholeVotes(b), whole[0]) {
			err = fmt.Errorf("the copy at %d is still damaged", whole[0])
		}
		return err
	}, nil
}

// rotSnapshot flips a bit of the newest snapshot, from which the node would
// start. It must be gone soon.
func (t *trial) rotSnapshot(n *Node) (func(string) error, error) {
	files := n.files(snapshotsDir, ".snap")
	if len(files) == 0 {
		return nil, errNothingToRot
	}
	index := func(f faultfs.File) (index uint64) {
		var term uint64
		_, _ = fmt.Sscanf(path.Base(f.Name), "%d-%d-", &term, &index)
		return index
	}
	f := slices.MaxFunc(files, func(a, b faultfs.File) int { return int(index(a)) - int(index(b)) })
	if err := n.Disk.Flip(f.Name, t.Draw.Int64N(f.Size), uint(t.Draw.IntN(8))); err != nil {
		return nil, err
	}
	return func(string) error {
		if slices.ContainsFunc(n.files(snapshotsDir, ".snap"), func(other faultfs.File) bool { return other.Name == f.Name }) {
			return fmt.Errorf("%s is still there", f.Name)
		}
		return nil
	}, nil
}

// rotIdentity flips a bit of who the node is, or of what it knows of the servers,
// which the file's sum puts right.
func (t *trial) rotIdentity(n *Node) (func(string) error, error) {
	name := []string{"data/node.json", "data/seen.json"}[t.Draw.IntN(2)]
	b, err := n.Disk.ReadFile(name)
	if err != nil || len(b) == 0 {
		return nil, errors.Join(errNothingToRot, err)
	}
	if err := n.Disk.Flip(name, t.Draw.Int64N(int64(len(b))), uint(t.Draw.IntN(8))); err != nil {
		return nil, err
	}
	return func(said string) error {
		if !strings.Contains(said, saysMended) {
			return fmt.Errorf("nothing is said of %s", name)
		}
		return nil
	}, nil
}

// files are those of the node's disk in a folder.
func (n *Node) files(dir, ext string) []faultfs.File {
	return slices.DeleteFunc(n.Disk.Files(), func(f faultfs.File) bool {
		return f.Size == 0 || !strings.HasPrefix(f.Name, dir) || !strings.HasSuffix(f.Name, ext)
	})
}

// saidBytes is how much the node has said so far; saidSince is what came after.
func (n *Node) saidBytes() int64 {
	st, err := os.Stat(n.log)
	if err != nil {
		return 0
	}
	return st.Size()
}

func (n *Node) saidSince(bytes int64) string {
	b, err := os.ReadFile(n.log)
	if err != nil || int64(len(b)) < bytes {
		return ""
	}
	return string(b[bytes:])
}
