package cloudsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/fsm"
)

// ErrNoTables: the bucket has nothing of the site.
var ErrNoTables = errors.New("the bucket has no tables of this site")

// Verify reads all of a site's tables and says what is wrong with them. It
// needs no node. Errors: ErrNoTables, and those of the store; damage is not an
// error but a finding.
func Verify(ctx context.Context, url, site string) (Report, error) {
	bucket, err := target.Open(url)
	if err != nil {
		return Report{}, err
	}
	return VerifyBucket(ctx, bucket, url, site)
}

// VerifyBucket is Verify for a bucket that is open. It holds the names of the
// tables' files in memory, not their rows.
func VerifyBucket(ctx context.Context, bucket target.Target, url, site string) (Report, error) {
	r := Report{URL: url, Site: site, Findings: []Finding{}, Notes: []Finding{}}
	var tables [3]*audit
	found := false
	for stream := range tables {
		a := newAudit(bucket, &r, site, fsm.Stream(stream))
		if err := a.readLog(ctx); err != nil {
			return r, err
		}
		found = found || a.log.Version >= 0
		tables[stream] = a
	}
	if !found {
		return r, fmt.Errorf("%w: %q at %s", ErrNoTables, site, url)
	}
	for _, a := range tables {
		if a.log.Version < 0 {
			r.find(a.table, MissingTable, "", "its log is empty")
			continue
		}
		if err := a.readFiles(ctx); err != nil {
			return r, err
		}
		if err := a.listData(ctx); err != nil {
			return r, err
		}
	}
	for _, stream := range []fsm.Stream{fsm.Readings, fsm.Frames} {
		var gaps []fsm.Gap
		for _, g := range tables[fsm.Gaps].gaps {
			if g.Stream == stream {
				gaps = append(gaps, g)
			}
		}
		tables[stream].tile(gaps)
	}
	tables[fsm.Gaps].tile(nil)
	for _, g := range tables[fsm.Gaps].gaps {
		if g.Stream == fsm.Frames {
			r.DroppedFrames += g.Count
		} else {
			r.Dropped += g.Count
		}
	}
	for _, a := range tables {
		r.Tables = append(r.Tables, a.summary())
	}
	return r, nil
}

// audit is the walk over one table.
type audit struct {
	bucket target.Target
	r      *Report
	site   string
	stream fsm.Stream
	table  string
	prefix string

	log     *delta.Log
	epoch   delta.Epoch // of the last commit of skerry's
	sum     string      // of the last commit, "" when it is missing or damaged
	named   map[string]bool
	covered fsm.IntervalSet // rows that commits added
	pending []delta.Range   // of the last commit that added rows
	rows    uint64          // counted in the files
	bytes   int64
	broken  bool // a file could not be counted

	gaps []fsm.Gap // gaps only: its rows
}

func newAudit(bucket target.Target, r *Report, site string, stream fsm.Stream) *audit {
	return &audit{
		bucket: bucket, r: r, site: site, stream: stream, table: stream.String(), prefix: tablePrefix(site, stream),
		log: delta.NewLog(), named: map[string]bool{},
	}
}

func (a *audit) find(kind Kind, object, format string, args ...any) {
	a.r.find(a.table, kind, object, format, args...)
}

// tile checks that rows are in the table once, or dropped, up to the last. A
// gap counts the rows of its range that nobody had shipped or dropped before.
func (a *audit) tile(gaps []fsm.Gap) {
	slices.SortFunc(gaps, func(x, y fsm.Gap) int { return cmp.Compare(x.Seq, y.Seq) })
	all := a.covered
	for _, g := range gaps {
		r := fsm.Interval{First: g.First, Last: g.Last}
		if lacking := rows([]fsm.Interval{r}) - all.Overlap(r); lacking != g.Count {
			a.find(ChangedCount, "", "gap %d says that %d of the rows %d to %d were dropped, %d are not in the table",
				g.Seq, g.Count, g.First, g.Last, lacking)
		}
		all = all.With(r)
	}
	if len(all) == 0 {
		return
	}
	end := lastOf(all)
	for _, p := range a.pending {
		if p.First >= 1 && p.First <= p.Last {
			all = all.With(fsm.Interval{First: fsm.Seq(p.First), Last: fsm.Seq(p.Last)})
		}
	}
	for _, hole := range minus(upTo(end), all) {
		a.find(MissingRows, "", "rows %d to %d are neither in the table nor in gaps", hole.First, hole.Last)
	}
	if want := rows(a.covered); !a.broken && a.rows != want {
		a.find(ChangedCount, "", "the files hold %d rows, the commits added %d", a.rows, want)
	}
}

func lastOf(s []fsm.Interval) fsm.Seq {
	var last fsm.Seq
	for _, r := range s {
		last = max(last, r.Last)
	}
	return last
}

// listData notes files that no commit ever named.
func (a *audit) listData(ctx context.Context) error {
	return a.bucket.List(ctx, a.prefix+"data/", "", func(o target.Object) error {
		name := o.Name[len(a.prefix):]
		if a.named[name] {
			return nil
		}
		detail := "no commit names it; readers of the table never see it"
		switch f, ok := parseFileName(name); {
		case ok && a.covered.Contains(f.rows):
			detail += ", and the leader removes it when it is a day old"
		case ok && f.rows.First > lastOf(a.covered):
			detail = "no commit names it; it goes on where the table ends, so its commit is still to come, was never made, or was removed"
		}
		a.r.note(a.table, Orphan, name, "%s", detail)
		return nil
	})
}

// paths are the files in the table, by name.
func (a *audit) paths() []string {
	paths := make([]string, 0, len(a.log.Files))
	for p := range a.log.Files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

func (a *audit) summary() TableReport {
	return TableReport{
		Table: a.table, Commit: a.log.Version, Files: len(a.log.Files), Rows: a.rows, Bytes: a.bytes,
		Last: uint64(lastOf(a.covered)), Epoch: a.epoch,
	}
}

// fileParts is what a name made by fileName says.
type fileParts struct {
	date string // "" in gaps
	rows fsm.Interval
	sum  string // first 16 digits
}

func parseFileName(name string) (fileParts, bool) {
	var f fileParts
	dir, base := path.Split(name)
	f.date = strings.TrimSuffix(strings.TrimPrefix(dir, "data/"), "/")
	n, err := fmt.Sscanf(base, "%d-%d-%16s", &f.rows.First, &f.rows.Last, &f.sum)
	dir = ""
	if f.date != "" {
		dir = f.date + "/"
	}
	ok := err == nil && n == 3 && len(f.sum) == 16 && fileName(dir, f.rows.First, f.rows.Last, f.sum) == name
	return f, ok
}
