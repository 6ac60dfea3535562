package cloudsync

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/fsm"
)

var (
	// ErrFenced: a later leader has claimed the table. It is the end of
	// shipping in this term. Where no such leader is, the site's nodes are
	// behind what they themselves have shipped: terms went back with the disks.
	ErrFenced = errors.New("a later leader has the bucket: if skerry members shows another leader, that one ships and nothing is to be done; " +
		"if all nodes were put back from older copies, stop them and bring back each node's newest data, or take another --site")
	// ErrHistory: the bucket holds another history of a site of this name.
	ErrHistory = errors.New("the bucket holds another history of this site: restore it, or take another --site")
	// ErrParted: rows under seqs of this site's that are not its own. They
	// must not count as shipped: the site's own would never be.
	ErrParted = errors.New("the bucket has rows that the old site stored after the snapshot file of this one was written: " +
		"restore a newer file, or ship to another bucket, one with just what the file's site had shipped")
	// ErrForeign: somebody else changed the table's rows or settings.
	ErrForeign = errors.New("another writer changed the table: undo it, or ship to another URL")
	// ErrGone: commits of this site are not in the bucket any more, as when a
	// disk is not mounted and its folder is empty. To go on there would leave a
	// hole in the log that no reader gets over.
	ErrGone = errors.New("the bucket lacks what this site has shipped: mount or bring back the right one, then run skerry cloud sync")
	// ErrLog: the table's log is not the one that skerry wrote.
	ErrLog = errors.New("the table's log is damaged: see cloud verify")
)

// writer is who commits: one node in one term.
type writer struct {
	site, node, engine string
	epoch              delta.Epoch
	// shared is the last seq up to which the rows of another incarnation are
	// this one's too.
	shared func(incarnation uint64, s fsm.Stream) fsm.Seq
}

// epochOf is the epoch of a leader's term as a view's site has it.
func epochOf(v View, term uint64) (delta.Epoch, bool) {
	g, ok := v.Site()
	return delta.Epoch{Incarnation: v.Incarnation(), Lineage: hex.EncodeToString(g.Lineage[:]), Term: term}, ok
}

// table is the end of one table's log, and what the table has.
//
// Invariant: version and sum are those of a commit that was read or written
// here, so the next commit is version+1 and names sum.
type table struct {
	bucket target.Target
	prefix string // "<site>/<stream>/"
	stream fsm.Stream
	me     writer

	version   int64           // of the last commit, -1 before the first
	sum       string          // its SHA-256, "" when it was not read yet
	epoch     delta.Epoch     // of skerry's last commit; zero when none was read
	has       fsm.IntervalSet // rows the table has
	shipped   uint64          // number of the last commit that added rows
	committed time.Time       // when that was, by its writer's clock; zero when not known
	named     names           // what the log says from its begin on; read when orphans are looked for
}

// openTable reads a log from commit `from` on, the last that the site's marks
// know (0 for none); synced is what they say the table has.
func openTable(ctx context.Context, bucket target.Target, stream fsm.Stream, me writer, synced fsm.IntervalSet, from uint64) (*table, error) {
	t := &table{
		bucket: bucket, prefix: tablePrefix(me.site, stream), stream: stream, me: me,
		version: int64(from) - 1, has: synced, shipped: from,
	}
	if err := t.advance(ctx); err != nil {
		return nil, err
	}
	if from > 0 && t.version < int64(from) {
		return nil, fmt.Errorf("commit %d of %s: %w", from, t.prefix, ErrGone)
	}
	return t, t.checkEnd(ctx)
}

func tablePrefix(site string, stream fsm.Stream) string { return site + "/" + stream.String() + "/" }

// errEnough ends a listing.
var errEnough = errors.New("enough")

// checkEnd makes sure that no commit lies behind a missing one: its number
// must not be given a second time.
func (t *table) checkEnd(ctx context.Context) error {
	after := ""
	if t.version >= 0 {
		after = t.prefix + delta.Name(t.version)
	}
	err := t.bucket.List(ctx, t.prefix+"_delta_log/", after, func(o target.Object) error {
		n, ok := delta.ParseName(o.Name[len(t.prefix):])
		if ok && n > t.version+1 {
			return fmt.Errorf("%w: %s has commit %d but not %d", ErrLog, t.prefix, n, t.version+1)
		}
		if ok {
			return errEnough // somebody committed since; the next advance reads it
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// advance reads the commits that others made since, after a look at whether the
// log still ends with the commit that t knows.
func (t *table) advance(ctx context.Context) error {
	if err := t.confirm(ctx); err != nil {
		return err
	}
	for {
		body, err := readCommit(ctx, t.bucket, t.prefix, t.version+1)
		if errors.Is(err, target.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.apply(t.version+1, body); err != nil {
			return fmt.Errorf("commit %d of %s: %w", t.version+1, t.prefix, err)
		}
	}
}

// confirm reads the last known commit again. A bucket that was taken away while
// we lead would otherwise be taken for one in which nobody wrote since.
func (t *table) confirm(ctx context.Context) error {
	if t.sum == "" {
		return nil // none was read yet
	}
	body, err := readCommit(ctx, t.bucket, t.prefix, t.version)
	if errors.Is(err, target.ErrNotFound) {
		return fmt.Errorf("commit %d of %s: %w", t.version, t.prefix, ErrGone)
	}
	if err == nil && delta.Sum(body) != t.sum {
		err = fmt.Errorf("%w: commit %d of %s has changed since it was made", ErrLog, t.version, t.prefix)
	}
	return err
}

func readCommit(ctx context.Context, bucket target.Target, prefix string, n int64) ([]byte, error) {
	r, err := bucket.Get(ctx, prefix+delta.Name(n))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, delta.MaxCommit+1))
}

// apply takes the next commit into account. A commit of this very epoch is
// this leader's own, whatever the answer to its put was.
func (t *table) apply(n int64, body []byte) error {
	c, err := delta.Decode(body)
	if err != nil {
		if errors.Is(err, delta.ErrNewer) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrLog, err)
	}
	own := c.Own()
	switch {
	case own == nil && c.ChangesData():
		return ErrForeign
	case own == nil:
		t.version, t.sum = n, delta.Sum(body)
		return nil
	}
	if err := t.check(n, own); err != nil {
		return err
	}
	t.version, t.sum, t.epoch = n, delta.Sum(body), own.Epoch
	if own.Range != nil {
		t.has = t.has.With(fsm.Interval{First: fsm.Seq(own.Range.First), Last: fsm.Seq(own.Range.Last)})
		t.shipped, t.committed = uint64(n), time.UnixMilli(c.Info.Timestamp)
	}
	return nil
}

func (t *table) check(n int64, own *delta.Info) error {
	if own.Commit != n || own.Site != t.me.site || own.Stream != t.stream.String() {
		return fmt.Errorf("%w: it says it is commit %d of %s/%s", ErrLog, own.Commit, own.Site, own.Stream)
	}
	if r := own.Range; r != nil && (r.First < 1 || r.First > r.Last) {
		return fmt.Errorf("%w: it adds rows %d to %d", ErrLog, r.First, r.Last)
	}
	if t.sum != "" && own.Previous != t.sum {
		return fmt.Errorf("%w: it does not follow the commit before", ErrLog)
	}
	order, err := own.Epoch.Compare(t.me.epoch)
	switch {
	case err != nil:
		return ErrHistory
	case order > 0 && own.Epoch.Incarnation > t.me.epoch.Incarnation:
		return fmt.Errorf("%w (incarnation %d, this site is %d)", ErrHistory, own.Epoch.Incarnation, t.me.epoch.Incarnation)
	case order > 0:
		return fmt.Errorf("claimed by node %s in term %d, this is term %d: %w", own.Node, own.Epoch.Term, t.me.epoch.Term, ErrFenced)
	}
	if r, inc := own.Range, own.Epoch.Incarnation; r != nil {
		if shared := t.me.shared(inc, t.stream); fsm.Seq(r.Last) > shared {
			return fmt.Errorf("%s %d to %d are of incarnation %d, of which this site has up to %d: %w", t.stream, r.First, r.Last, inc, shared, ErrParted)
		}
	}
	if t.epoch != (delta.Epoch{}) {
		if order, err := own.Epoch.Compare(t.epoch); err != nil || order < 0 {
			return fmt.Errorf("%w: its epoch is before that of the commit before", ErrLog)
		}
	}
	return nil
}

// claim makes the table this leader's, unless it is.
func (t *table) claim(ctx context.Context, now time.Time) error {
	for t.epoch != t.me.epoch {
		c := t.commit(now, "CLAIM")
		if t.version < 0 {
			c.Info.Operation = "CREATE TABLE"
			c.Protocol = &delta.Protocol{MinReaderVersion: delta.ReaderVersion, MinWriterVersion: delta.WriterVersion}
			c.MetaData = t.metaData(now)
		}
		if _, err := t.put(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// put writes the next commit. When the number is taken it reads who took it;
// won is then false, and the caller looks again at what the table has.
func (t *table) put(ctx context.Context, c *delta.Commit) (won bool, err error) {
	body, err := c.Encode()
	if err != nil {
		return false, err
	}
	n := t.version + 1
	err = t.bucket.PutIfAbsent(ctx, t.prefix+delta.Name(n), bytes.NewReader(body), int64(len(body)))
	if errors.Is(err, target.ErrExists) {
		if err := t.advance(ctx); err != nil {
			return false, err
		}
		if t.version < n {
			return false, fmt.Errorf("commit %d of %s: the store says that it exists and that it does not", n, t.prefix)
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("commit %d of %s: %w", n, t.prefix, err)
	}
	return true, t.apply(n, body)
}

// commit is the next commit with nothing in it yet.
func (t *table) commit(now time.Time, operation string) *delta.Commit {
	return &delta.Commit{Info: &delta.CommitInfo{
		Timestamp: now.UnixMilli(), Operation: operation, OperationParameters: map[string]any{},
		IsBlindAppend: true, EngineInfo: t.me.engine,
		Skerry: &delta.Info{
			Format: delta.FormatVersion, Site: t.me.site, Stream: t.stream.String(), Commit: t.version + 1,
			Epoch: t.me.epoch, Node: t.me.node, Previous: t.sum, Pending: []delta.Range{},
		},
	}}
}

func (t *table) metaData(now time.Time) *delta.MetaData {
	return &delta.MetaData{
		ID: delta.TableID(t.me.epoch.Lineage, t.stream.String()), Name: t.me.site + "_" + t.stream.String(),
		Format:       delta.Format{Provider: "parquet", Options: map[string]string{}},
		SchemaString: delta.SchemaString(columnsOf(t.stream)), PartitionColumns: []string{},
		Configuration: map[string]string{}, CreatedTime: now.UnixMilli(),
	}
}

func columnsOf(s fsm.Stream) []delta.Column {
	return [...][]delta.Column{
		fsm.Readings: delta.ReadingsColumns, fsm.Frames: delta.FramesColumns, fsm.Gaps: delta.GapsColumns,
	}[s]
}
