package cluster

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"

	"skerry/fsm"
)

// The site's level (fsm.Level) rises when all servers know the next one. Three
// things keep a program from meeting what it cannot read: the leader appends no
// command above the level, it adds no server that does not know the level, and
// a data directory carries, in the format of its identity, the level of what
// was ever written into it, so that an older program does not touch it.

// dirFormat is the newest format of a data directory for a program that knows a
// level: they count alike.
func dirFormat(knows fsm.Level) int { return int(knows) }

// raiseDir makes sure, durably, that programs which do not know level refuse the
// data directory. It is called before anything of the level is written into it.
func (n *Node) raiseDir(level fsm.Level) error {
	n.identityMu.Lock()
	defer n.identityMu.Unlock()
	if n.id.Format >= dirFormat(level) {
		return nil
	}
	id := n.id
	id.Format = dirFormat(level)
	if err := id.save(n.disk); err != nil {
		return err
	}
	n.id.Format = id.Format // the other fields are read without the lock
	return nil
}

// levelLog raises the directory's format before an entry of a later level is
// stored.
type levelLog struct {
	raft.LogStore
	raise func(fsm.Level) error
}

// IsMonotonic is raft.MonotonicLogStore's.
func (l levelLog) IsMonotonic() bool {
	m, ok := l.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// StoreLog is raft.LogStore's.
func (l levelLog) StoreLog(log *raft.Log) error { return l.StoreLogs([]*raft.Log{log}) }

// StoreLogs is raft.LogStore's.
func (l levelLog) StoreLogs(logs []*raft.Log) error {
	needs := fsm.FirstLevel
	for _, e := range logs {
		if e.Type == raft.LogCommand {
			needs = max(needs, fsm.EntryLevel(e.Data))
		}
	}
	if needs > fsm.FirstLevel {
		if err := l.raise(needs); err != nil {
			return err
		}
	}
	return l.LogStore.StoreLogs(logs)
}

// levelSnapshots raises the directory's format before a snapshot of a later
// level is stored.
type levelSnapshots struct {
	raft.SnapshotStore
	raise func(fsm.Level) error
}

// Create is raft.SnapshotStore's.
func (s levelSnapshots) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(v, index, term, c, ci, t)
	if err != nil {
		return nil, err
	}
	return &levelSink{SnapshotSink: sink, raise: s.raise}, nil
}

type levelSink struct {
	raft.SnapshotSink
	raise func(fsm.Level) error
	begin []byte // the first bytes, until there are enough to tell the level
}

// Write is raft.SnapshotSink's. The bytes before the level is known are none
// that another program would take for a snapshot.
func (s *levelSink) Write(b []byte) (int, error) {
	if len(s.begin) < fsm.SnapshotHeader {
		s.begin = append(s.begin, b[:min(len(b), fsm.SnapshotHeader-len(s.begin))]...)
		if level := fsm.SnapshotLevel(s.begin); level > fsm.FirstLevel {
			if err := s.raise(level); err != nil {
				return 0, err
			}
		}
	}
	return s.SnapshotSink.Write(b)
}

// takes tells whether the leader may append a command, and what to do where not.
func (n *Node) takes(op fsm.Op) error {
	level, needs := n.replica.siteLevel(), fsm.LevelOf(op)
	if needs <= level || op == fsm.OpRaiseLevel {
		return nil
	}
	return fmt.Errorf("%w: the site is at level %d and this needs %d: %s", ErrLevel, level, needs, n.survey.behind(needs))
}

// mayJoin tells whether a server may be added: not while the site's log may
// have what it cannot apply. errStaysOut: not yet.
func (n *Node) mayJoin(ctx context.Context, s raft.Server) error {
	level := n.replica.siteLevel()
	if level == fsm.FirstLevel {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	switch h := n.hear(ctx, s); {
	case !h.fresh():
		return fmt.Errorf("%s is not added: it does not answer at %s", nodeName(s.ID), s.Address)
	case h.standing.StaysOut:
		return errStaysOut
	case h.standing.level() < level:
		return fmt.Errorf("%s is not added: it knows level %d and the site is at %d: upgrade it", nodeName(s.ID), h.standing.level(), level)
	}
	return nil
}

// raiseLevel raises the site's level to the highest that all servers know. A
// server that does not answer holds it back: nobody knows what it runs.
func (n *Node) raiseLevel(ctx context.Context, lead *Lead) error {
	at := n.replica.siteLevel()
	if knownByAll(n.survey.all()) <= at { // what was heard some seconds ago
		return nil
	}
	servers, err := n.servers()
	if err != nil {
		return err
	}
	to := knownByAll(n.survey.round(ctx, n, servers)) // what is so now
	if to <= at {
		return nil
	}
	result, err := lead.Propose(ctx, fsm.RaiseLevel{Level: to})
	if err != nil {
		return err
	}
	if err := result.Outcomes[0].Code.Err(); err != nil {
		return err
	}
	n.log.Info("the site's level rises: older versions can no longer take part", "level", to)
	return nil
}

// followLevel tells the peers each time the site's level has risen.
func (n *Node) followLevel(ctx context.Context) {
	told := fsm.Level(0)
	for {
		changed := n.replica.leveled.wait()
		if level := n.replica.siteLevel(); level != told {
			told = level
			n.announce()
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// waitsFor is what holds the site below the level that this node knows, "" for
// nothing. Only the leader knows.
func (n *Node) waitsFor() string {
	if n.replica.siteLevel() >= n.knows || len(n.survey.all()) == 0 {
		return ""
	}
	return fmt.Sprintf("level %d once you %s", n.knows, n.survey.behind(n.knows))
}

// tooOld is why this node cannot join its site, "" where it can.
func (n *Node) tooOld() string {
	for _, p := range n.sitePeers() {
		if p.Alive && fsm.Level(p.Level) > n.knows {
			return fmt.Sprintf("the site is at level %d, as %s says, and this skerry knows up to %d: upgrade this node", p.Level, p.Name, n.knows)
		}
	}
	return ""
}

// behind says which servers hold the level below one that is asked for.
func (s *survey) behind(needs fsm.Level) string {
	var old, silent []string
	for _, a := range s.all() {
		switch {
		case !a.fresh():
			silent = append(silent, nodeName(a.server.ID))
		case a.standing.level() < needs:
			old = append(old, nodeName(a.server.ID))
		}
	}
	var todo []string
	if len(old) > 0 {
		todo = append(todo, "upgrade "+strings.Join(old, ", "))
	}
	if len(silent) > 0 {
		todo = append(todo, "bring back or remove "+strings.Join(silent, ", "))
	}
	if len(todo) == 0 {
		return "ask again in a few seconds"
	}
	return strings.Join(todo, "; ")
}

// knownByAll is the highest level that every server says it knows, 0 while one
// does not say.
func knownByAll(answers []heard) fsm.Level {
	lowest := fsm.Level(0)
	for i, a := range answers {
		if !a.fresh() {
			return 0
		}
		if level := a.standing.level(); i == 0 || level < lowest {
			lowest = level
		}
	}
	return lowest
}
