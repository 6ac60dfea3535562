package logstore

import (
	"errors"
	"fmt"
	"path"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"skerry/cluster/disk"
	"skerry/cluster/logstore/segmented"
	"skerry/cluster/logstore/slots"
	"skerry/cluster/logstore/snapshots"
)

// SnapshotsKept is how many snapshots are kept: if the newest rots, raft starts
// from the one before.
const SnapshotsKept = 2

const snapshotDir = "snapshots"

// Config tells where and how.
type Config struct {
	Disk   disk.Disk
	Dir    string // on Disk
	Kind   Kind   // "" is what the directory has, Segmented in a new one
	Logger hclog.Logger
	// Failed is called once with the first error of a write, or ErrStalled, from
	// any goroutine. The store refuses all later writes; the process is to end,
	// even if a call into the store never returns.
	Failed func(error)
	// Stall is how long a write may take; 0 waits for ever.
	Stall time.Duration
	// HintEvery is how long appends may go unhinted; 0 is HintEvery.
	HintEvery time.Duration
	// SegmentBytes is the size of a segment, SpareBytes how much is kept in
	// segments to be used again; see segmented.Config.
	SegmentBytes, SpareBytes int64
}

// Recovery is what Open found of the log.
type Recovery struct {
	First, Last uint64 // of the log; both 0 without entries
	Snapshot    uint64 // index of the newest snapshot, 0 without one
	Hint        uint64 // up to here the log was known to be durable
	// Damaged: entries that this node acknowledged may be missing. Until it
	// holds again what the site has committed, it must neither vote nor lead.
	// It stays so over restarts until Recovered is called.
	Damaged bool
	Reason  string // of Damaged, for people
	// Skipped is what was wrong with entries that were not needed any more, "" for
	// nothing. They are dropped.
	Skipped string
	// Mended are files of which a copy was damaged and is written anew: it rotted,
	// or the power was cut while it was written.
	Mended []string
}

// Store is what raft has on disk.
type Store struct {
	*Log
	Stable    *Votes
	Snapshots *snapshots.Store
	cfg       Config
	recovery  Recovery
	whole     atomic.Bool // Recovered was called
	closers   []func() error
}

// Recovery is what Open found.
func (s *Store) Recovery() Recovery { return s.recovery }

// Recovered makes it durable that nothing is missing any more.
func (s *Store) Recovered() error {
	err := s.guard.write("write that the log is whole again", s.hint.found)
	s.whole.Store(err == nil)
	return err
}

// Whole tells that what Recovery says is missing has come back.
func (s *Store) Whole() bool { return s.whole.Load() }

// CheckSmall reads the votes, the hint of the log's end, the kind of the log and
// the heads of its segments again and writes anew what has rotted of them. mended are the files.
func (s *Store) CheckSmall() (mended []string, err error) {
	votes, err := s.Stable.Check()
	if votes {
		mended = append(mended, votesFile)
	}
	hint := false
	err = errors.Join(err, s.guard.write("write the hint of the log's end anew", func() (err error) {
		hint, err = s.hint.check()
		return err
	}))
	if hint {
		mended = append(mended, hintFile)
	}
	err = errors.Join(err, s.guard.write("write a head of the log anew", func() error {
		heads, err := checkHeads(s.inner)
		mended = append(mended, heads...)
		return err
	}))
	kind, _, near, readErr := kindOf(s.cfg.Disk, s.cfg.Dir)
	if readErr != nil || near || kind != s.cfg.Kind {
		mended = append(mended, kindFile)
		err = errors.Join(err, s.guard.write("write the kind of the log anew", func() error { return markKind(s.cfg.Disk, s.cfg.Dir, s.cfg.Kind) }))
	}
	return mended, err
}

// Close closes the store, once. No call may be under way.
func (s *Store) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// Open opens or creates the stores in cfg.Dir. A directory whose log is of
// another kind is refused. Besides the disk's errors it returns ErrVotes, and
// segmented.ErrNewer for a directory of a newer skerry.
func Open(cfg Config) (store *Store, err error) {
	if cfg.HintEvery == 0 {
		cfg.HintEvery = HintEvery
	}
	kind, marked, mended, err := kindOf(cfg.Disk, cfg.Dir)
	if err != nil {
		return nil, err
	}
	switch {
	case cfg.Kind != "" && !cfg.Kind.Known():
		return nil, fmt.Errorf("log store %q is not known: %w", cfg.Kind, errUnknownKind)
	case kind == "" && cfg.Kind == "":
		cfg.Kind = Segmented
	case kind != "" && cfg.Kind != "" && kind != cfg.Kind:
		return nil, fmt.Errorf("the log in %s is kept by %q: start with --log-store %s, or move it with skerry log-store move --to %s",
			cfg.Disk.Path(cfg.Dir), kind, kind, cfg.Kind)
	case kind != "":
		cfg.Kind = kind
	}
	s := &Store{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	g := newGuard(cfg.Failed, cfg.Stall)
	if !marked {
		if err := takeOver(cfg); err != nil {
			return nil, fmt.Errorf("take over the directory of an earlier skerry: %w", err)
		}
	}
	if s.Snapshots, err = snapshots.Open(cfg.Disk, path.Join(cfg.Dir, snapshotDir), SnapshotsKept, cfg.Logger); err != nil {
		return nil, err
	}
	if err := s.openVotes(cfg, kind == "" && !marked, g); err != nil {
		return nil, err
	}
	hinted, err := openHint(cfg.Disk, path.Join(cfg.Dir, hintFile))
	if err != nil {
		return nil, err
	}
	inner, found, err := openInner(cfg, cfg.Kind, func() uint64 { return s.needed(hinted.value) })
	if err != nil {
		return nil, errors.Join(err, hinted.close())
	}
	s.closers = append(s.closers, inner.Close)
	if err := s.begin(cfg, inner, found, hinted, marked || kind == Segmented, g); err != nil {
		return nil, err
	}
	if mended {
		s.recovery.Mended = append(s.recovery.Mended, kindFile)
	}
	if !marked || mended {
		if err := markKind(cfg.Disk, cfg.Dir, cfg.Kind); err != nil {
			return nil, err
		}
	}
	// A kind that a move left behind, before its end or after it.
	for _, other := range Kinds {
		if other != cfg.Kind {
			if err := removeKind(cfg.Disk, cfg.Dir, other); err != nil {
				return nil, fmt.Errorf("remove what is left of the log in %s: %w", other, err)
			}
		}
	}
	s.hint.keeping.Go(s.hint.keep)
	return s, nil
}

// openVotes opens the votes; those of a new directory are made.
func (s *Store) openVotes(cfg Config, fresh bool, g *guard) error {
	name := path.Join(cfg.Dir, votesFile)
	votes, err := openVotes(cfg.Disk, name, g)
	if isNotExist(err) {
		list, listErr := s.Snapshots.List()
		if listErr != nil {
			return listErr
		}
		if !fresh || len(list) > 0 {
			return fmt.Errorf("%w: there is a log or a snapshot and no file of them", ErrVotes)
		}
		votes, err = createVotes(cfg.Disk, name, map[string]string{}, g)
	}
	if err != nil {
		return err
	}
	if votes.file.Mended() {
		s.recovery.Mended = append(s.recovery.Mended, votesFile)
	}
	s.Stable = votes
	s.closers = append(s.closers, votes.close)
	return nil
}

// needed is the first entry that must not be missing: those before are in the
// newest snapshot that is whole, or were dropped. The entry of the snapshot
// itself is needed, to see that the log belongs to it; see meet.
func (s *Store) needed(hint hintValue) uint64 {
	list, err := s.Snapshots.List()
	if err != nil {
		return hint.first
	}
	for _, m := range list {
		if s.Snapshots.Verify(m.ID) == nil {
			return max(hint.first, m.Index)
		}
	}
	return hint.first
}

// begin makes the log, the hint and the snapshots fit each other, and the log
// ready for writes. With owed there was a hint.
func (s *Store) begin(cfg Config, inner innerLog, found segmented.Found, hinted foundHint, owed bool, g *guard) error {
	r, v := &s.recovery, hinted.value
	first, last, err := bounds(inner)
	if err != nil {
		return errors.Join(err, hinted.close())
	}
	clear, err := s.meet(inner, first, last)
	if err != nil {
		return errors.Join(err, hinted.close())
	}
	r.Hint = v.last
	was := v
	reach := max(last, r.Snapshot)
	switch {
	case found.Damage != "":
		v.lost, v.why = true, found.Damage
	case hinted.file == nil && owed:
		v.lost, v.why = true, "the hint of the log's end is gone or damaged"
	case v.last > reach:
		v.lost, v.why = true, fmt.Sprintf("the log ends at entry %d and was durable up to %d", reach, v.last)
		found.Damage = v.why // what the disk does not give today it may give tomorrow
	}
	r.Damaged, r.Reason = v.lost, v.why
	durable := min(v.last, last)
	if hinted.file == nil {
		durable = 0
	}
	// The hint says what is owed before anything is cut off, so that a power cut
	// in between finds the same again.
	v.last = durable
	if found.Skipped != "" && first > v.first { // else it was not wanted anyway
		v.first, r.Skipped = first, found.Skipped
	}
	if clear {
		v.last, v.first = 0, 0
	}
	if hinted.file != nil && hinted.file.Mended() {
		r.Mended = append(r.Mended, hintFile)
	}
	switch {
	case hinted.file == nil:
		hinted.file, err = slots.Create(cfg.Disk, path.Join(cfg.Dir, hintFile), hintDistance, v.encode())
	case v != was: // a directory that its site refuses is left as it was
		err = hinted.file.Set(v.encode())
	}
	if err != nil {
		return errors.Join(err, hinted.close())
	}
	h := newHint(hinted.file, v, g, cfg.HintEvery)
	s.closers = append(s.closers, h.close)
	s.Log = newLog(inner, g, h)
	if err := ready(inner, found, durable, v.first, clear); err != nil {
		return err
	}
	heads, err := checkHeads(inner)
	if err != nil {
		return err
	}
	r.Mended = append(r.Mended, heads...)
	if r.First, r.Last, err = bounds(inner); err != nil {
		return err
	}
	return s.checkTerm()
}

// Owe makes it durable that all that the log holds is owed: entries that are
// missing at the next start are lost ones. A node calls it when it takes part; until
// then Open has changed nothing that was whole.
func (s *Store) Owe() error {
	last, err := s.Log.LastIndex()
	if err != nil {
		return err
	}
	s.hint.raise(last)
	return s.guard.write("write the hint of the log's end", s.hint.write)
}

func bounds(l raft.LogStore) (first, last uint64, err error) {
	if first, err = l.FirstIndex(); err == nil {
		last, err = l.LastIndex()
	}
	return first, last, err
}

// meet compares the log with the newest snapshot. clear is true where the log
// does not belong to it: it ends before it, or holds another entry in its place.
// That is left by a cut after a leader's snapshot was installed, and before the
// log was emptied.
func (s *Store) meet(inner raft.LogStore, first, last uint64) (clear bool, err error) {
	list, err := s.Snapshots.List()
	if err != nil || len(list) == 0 {
		return false, err
	}
	newest := list[0]
	s.recovery.Snapshot = newest.Index
	if last == 0 {
		return false, nil
	}
	clear = last < newest.Index
	if !clear && first <= newest.Index {
		var e raft.Log
		if err := inner.GetLog(newest.Index, &e); err != nil {
			return false, err
		}
		clear = e.Term != newest.Term
	}
	if clear && s.Snapshots.Verify(newest.ID) != nil {
		s.recovery.Snapshot = 0
		return s.meet(inner, first, last) // raft will go back to the one before, and needs the log
	}
	return clear, nil
}

// ready makes a log ready for writes; with clear it is emptied.
func ready(inner innerLog, found segmented.Found, durable, first uint64, clear bool) error {
	if l, ok := inner.(*segmented.Log); ok {
		return l.Begin(found, durable, first, clear)
	}
	if !clear {
		return nil
	}
	low, high, err := bounds(inner)
	if err != nil {
		return err
	}
	return inner.DeleteRange(low, high)
}

// checkHeads writes heads of segments anew that have rotted.
func checkHeads(inner raft.LogStore) (mended []string, err error) {
	l, ok := inner.(*segmented.Log)
	if !ok {
		return nil, nil
	}
	names, err := l.CheckHeads()
	for _, name := range names {
		mended = append(mended, path.Join(segmentedDir, name))
	}
	return mended, err
}

// checkTerm makes sure that the votes are not older than the log.
func (s *Store) checkTerm() error {
	if s.recovery.Last == 0 {
		return nil
	}
	var e raft.Log
	if err := s.inner.GetLog(s.recovery.Last, &e); err != nil {
		return err
	}
	if term := s.Stable.term(); term < e.Term {
		return fmt.Errorf("%w: their term is %d and the log has one of %d", ErrVotes, term, e.Term)
	}
	return nil
}
