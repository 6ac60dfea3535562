package logstore

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"skerry/cluster/logstore/segmented"
)

// moveBatch bounds how much of a log is copied at a time: entries, and bytes of
// data unless one alone has more.
const (
	moveBatch      = 64
	moveBatchBytes = 1 << 20
)

// ErrDamaged: the log lacks entries that this node acknowledged.
var ErrDamaged = errors.New("the log is damaged: start the node, which mends it from the others, and move it then")

// Moved is what Move did.
type Moved struct {
	From, To    Kind
	First, Last uint64 // entries copied; both 0 for none
}

// Move brings the log of a directory that no node runs on from one kind to
// another. The old log counts until the new one is whole and durable, and then
// goes; cut short, a move can be made again, or the node started as it was.
// Votes, hint and snapshots stay where they are.
func Move(cfg Config, to Kind) (m Moved, err error) {
	if !to.Known() {
		return m, fmt.Errorf("log store %q is not known: %w", to, errUnknownKind)
	}
	// Open and Close bring everything up to date first: what an older skerry
	// left, a torn tail, a move that was cut short.
	cfg.Kind = ""
	s, err := Open(cfg)
	if err != nil {
		return m, err
	}
	from, r := s.cfg.Kind, s.Recovery()
	if err := s.Close(); err != nil {
		return m, err
	}
	m = Moved{From: from, To: to, First: r.First, Last: r.Last}
	switch {
	case r.Damaged:
		return m, fmt.Errorf("%w (%s)", ErrDamaged, r.Reason)
	case from == to:
		return m, nil
	}
	if err := removeKind(cfg.Disk, cfg.Dir, to); err != nil {
		return m, err
	}
	if err := copyLog(cfg, m); err != nil {
		return m, errors.Join(fmt.Errorf("move the log from %s to %s: %w", from, to, err), removeKind(cfg.Disk, cfg.Dir, to))
	}
	if err := markKind(cfg.Disk, cfg.Dir, to); err != nil {
		return m, err
	}
	return m, removeKind(cfg.Disk, cfg.Dir, from)
}

// copyLog makes the new log with the entries of the old one, and compares them. It is durable when copyLog returns nil.
func copyLog(cfg Config, m Moved) (err error) {
	source, err := openToCopy(cfg, m.From, m.First)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openToCopy(cfg, m.To, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	first, last, err := bounds(source)
	if err != nil || last == 0 {
		return err
	}
	for next := first; next <= last; {
		logs, err := batchFrom(source, next, last)
		if err != nil {
			return err
		}
		if err := target.StoreLogs(logs); err != nil {
			return err
		}
		next += uint64(len(logs))
	}
	return compareLogs(source, target)
}

// openToCopy opens a log that is whole, of which entries from first on are
// wanted.
func openToCopy(cfg Config, kind Kind, first uint64) (innerLog, error) {
	l, found, err := openInner(cfg, kind, nil)
	if err != nil {
		return nil, err
	}
	if s, ok := l.(*segmented.Log); ok {
		if err := s.Begin(found, found.Last, first, false); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// batchFrom reads the entries from an index on that are copied at a time.
func batchFrom(l raft.LogStore, next, last uint64) (logs []*raft.Log, err error) {
	size := 0
	for ; next <= last && len(logs) < moveBatch && size < moveBatchBytes; next++ {
		e := new(raft.Log)
		if err := l.GetLog(next, e); err != nil {
			return nil, fmt.Errorf("entry %d: %w", next, err)
		}
		size += len(e.Data)
		logs = append(logs, e)
	}
	return logs, nil
}

// compareLogs makes sure that a copy is one.
func compareLogs(a, b raft.LogStore) error {
	first, last, err := bounds(a)
	first2, last2, err2 := bounds(b)
	if err = errors.Join(err, err2); err != nil {
		return err
	}
	if first != first2 || last != last2 {
		return fmt.Errorf("entries %d to %d were copied as %d to %d", first, last, first2, last2)
	}
	for i := first; i <= last; i++ {
		var x, y raft.Log
		if err := errors.Join(a.GetLog(i, &x), b.GetLog(i, &y)); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if x.Index != y.Index || x.Term != y.Term || x.Type != y.Type || string(x.Data) != string(y.Data) || string(x.Extensions) != string(y.Extensions) {
			return fmt.Errorf("entry %d of the copy is another", i)
		}
	}
	return nil
}
