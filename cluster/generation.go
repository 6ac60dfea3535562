package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/summed"
	"skerry/cluster/transport"
	"skerry/fsm"
)

// A data directory that was restored from an image, or copied, does not know
// that it is old. So each start has a number, the generation, which the leader
// has the site remember (fsm.SeenCommand) together with an index up to which
// the server held the log. A directory behind what any other server remembers
// of it is refused: see earnTrust.

const (
	// seenFile is what this node's replica knew of the servers when it changed
	// last. A state that was just restored is as old as its snapshot, and after a
	// power cut everywhere nobody else knows more.
	seenFile = "seen.json"
	maxSeen  = 64 << 10
	// seenEvery is how often, in log time, the site remembers anew how far the
	// servers hold the log. A site in which nothing happens remembers nothing.
	seenEvery = fsm.LogTime(time.Hour / time.Microsecond)
)

// known is what a server knows of another one.
type known struct {
	fsm.Seen
	logEnd
	Now   uint64 `json:"term"`  // the asked one's term
	Leads bool   `json:"leads"` // the asked one leads in that term, and has begun to
	// Sure: a majority without the other server is in that term too, so nobody
	// led in a later one.
	Sure bool `json:"sure"`
	// Config is the index of the newest configuration that is known to be committed,
	// 0 for none. A leader's is the site's.
	Config uint64 `json:"config,omitempty"`
	// Removed: as sure as that, the site's configuration is without the asker.
	Removed bool `json:"removed,omitempty"`
	// Lineage is of the history that the asked one holds, hex; "" where it does not
	// know.
	Lineage string `json:"lineage,omitempty"`
	// Servers are those of the asked one's configuration.
	Servers []raft.Server `json:"servers,omitempty"`
	// earlier: an earlier version answered, which knows nothing.
	earlier bool
}

// loadSeen reads seenFile. One that is gone or damaged says nothing; rotten says
// that it is not what was written, be it put right or not.
func loadSeen(d disk.Disk) (seen []fsm.Seen, rotten bool, err error) {
	b, err := disk.ReadFile(d, seenFile, maxSeen)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", seenFile, err)
	}
	mended, err := summed.Decode(b, &seen)
	if err != nil {
		return nil, true, nil
	}
	return seen, mended, nil
}

// openSeen reads seenFile and puts right what has rotted in it. One that cannot
// be is written anew as soon as the state tells what is in it.
func (n *Node) openSeen() error {
	seen, rotten, err := loadSeen(n.disk)
	n.seenBefore = seen
	if err != nil || !rotten {
		return err
	}
	n.mendedRot(rotIdentity, seenFile)
	if len(seen) == 0 {
		n.seenRotten = true
		return nil
	}
	return n.saveSeen(seen)
}

// knownOf is what this node knows of a server, by its state and what it wrote
// down before it started.
func (n *Node) knownOf(id raft.ServerID) known {
	k := known{Seen: fsm.Seen{ID: string(id)}, logEnd: n.logEnd(), Now: n.raft.CurrentTerm(), Lineage: n.lineage()}
	k.Config, _ = n.replica.configurations.known()
	for _, list := range [][]fsm.Seen{n.seenBefore, n.replica.seen()} {
		for _, s := range list {
			if s.ID == k.ID {
				k.Generation, k.Held = max(k.Generation, s.Generation), max(k.Held, s.Held)
			}
		}
	}
	if r := n.reign.Load(); r != nil {
		k.Now, k.Leads = r.term, true
	}
	if servers, err := n.servers(); err == nil {
		k.Servers = servers
	}
	return k
}

// tellKnown is knownOf for a server that asks it of itself.
func (n *Node) tellKnown(ctx context.Context, id raft.ServerID) known {
	k := n.knownOf(id)
	if k.Leads {
		ctx, cancel := context.WithTimeout(ctx, trustCall)
		defer cancel()
		removed := n.hasRemoved(id)
		k.Sure = n.confirmTerm(ctx, k.Now, id) == nil
		k.Removed = k.Sure && removed
	}
	return k
}

func (r *replica) seen() []fsm.Seen {
	r.mu.RLock()
	defer r.mu.RUnlock()
	seen, _ := r.state.Seen()
	return seen
}

// generation is the number of this start, or of the last one as long as this
// node has not been let in.
func (n *Node) generation() uint64 { return n.started.Load() }

// raiseGeneration counts this start, durably, and begins to owe what the log
// holds.
func (n *Node) raiseGeneration() error {
	if err := n.logs.Owe(); err != nil {
		return err
	}
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	id := n.id
	id.Generation++
	if err := id.save(n.disk); err != nil {
		return err
	}
	n.id.Generation = id.Generation
	n.started.Store(id.Generation)
	return nil
}

// watchSeen writes down what the site knows of its servers each time it
// changes, and ends a node of which the site knows a later start: then another
// process runs on a copy of its directory.
func (n *Node) watchSeen(ctx context.Context) {
	written := n.seenBefore
	for {
		changed := n.replica.applied.wait()
		if err := n.noteLineage(); err != nil && !disk.IsFull(err) { // else with a later change
			n.fail(fmt.Errorf("write %s: %w", identityFile, err))
			return
		}
		if seen := n.replica.seen(); len(seen) > 0 && !slices.Equal(seen, written) {
			switch err := n.saveSeen(seen); {
			case err == nil:
				written = seen
			case !disk.IsFull(err): // else with a later change
				n.fail(fmt.Errorf("write %s: %w", seenFile, err))
				return
			}
			for _, s := range seen {
				if s.ID == string(n.id.ID) && s.Generation > n.generation() && n.filter.Stance() != transport.Apart {
					n.fail(fmt.Errorf("%w (the site has seen start %d of it, this is %d)", ErrOldCopy, s.Generation, n.generation()))
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (n *Node) saveSeen(seen []fsm.Seen) error {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	err := saveSummed(n.disk, seenFile, seen)
	n.seenRotten = n.seenRotten && err != nil
	return err
}

// noteServers has the site remember how the servers stand, when one has started
// again or the last time is long ago. Where a server does not answer, what is
// known of it stays.
func (n *Node) noteServers(ctx context.Context, lead *Lead) error {
	if n.replica.siteLevel() < fsm.LevelOf(fsm.OpSeen) {
		return nil
	}
	n.replica.mu.RLock()
	was, at := n.replica.state.Seen()
	n.replica.mu.RUnlock()
	old := n.replica.logTime()-at >= seenEvery
	var now []fsm.Seen
	due := false
	for _, h := range n.survey.all() {
		s := fsm.Seen{ID: string(h.server.ID)}
		before := fsm.Seen{}
		for _, w := range was {
			if w.ID == s.ID {
				before = w
			}
		}
		s.Generation, s.Held = before.Generation, before.Held
		if h.fresh() {
			s.Generation, s.Held = max(s.Generation, h.standing.Generation), max(s.Held, h.standing.Applied)
		}
		due = due || s.Generation > before.Generation || (old && s.Held > before.Held)
		now = append(now, s)
	}
	if !due || len(now) > fsm.MaxSeen {
		return nil
	}
	slices.SortFunc(now, func(a, b fsm.Seen) int { return strings.Compare(a.ID, b.ID) })
	result, err := lead.Propose(ctx, fsm.SeenCommand{Servers: now})
	if err != nil {
		return err
	}
	return result.Outcomes[0].Code.Err()
}
