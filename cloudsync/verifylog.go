package cloudsync

import (
	"context"
	"errors"

	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/fsm"
)

// readLog reads all commits in order.
func (a *audit) readLog(ctx context.Context) error {
	return a.bucket.List(ctx, a.prefix+"_delta_log/", "", func(o target.Object) error {
		n, ok := delta.ParseName(o.Name[len(a.prefix):])
		if !ok {
			return nil // a checkpoint, or what other engines keep there
		}
		for missing := a.log.Version + 1; missing < n; missing++ {
			a.find(MissingCommit, delta.Name(missing), "the log goes on at %d", n)
			if missing == a.log.Version+maxNamed {
				break
			}
		}
		if n != a.log.Version+1 {
			a.sum = ""
		}
		body, err := readCommit(ctx, a.bucket, a.prefix, n)
		if err != nil {
			return err
		}
		a.commit(n, body)
		return nil
	})
}

// maxNamed bounds how many things missing in a row are named one by one.
const maxNamed = 100

// commit takes the next commit into account.
func (a *audit) commit(n int64, body []byte) {
	name := delta.Name(n)
	c, err := delta.Decode(body)
	intact := err == nil
	switch {
	case errors.Is(err, delta.ErrNewer):
		a.find(NewerFormat, name, "%v", err)
	case err != nil:
		a.find(DamagedCommit, name, "%v", err)
	}
	if c == nil {
		a.log.Version, a.sum = n, ""
		return
	}
	if own := c.Own(); own == nil {
		a.foreign(name, c)
	} else {
		a.own(n, c, own)
	}
	a.log.Version = n - 1 // a hole before it has been found already
	if err := a.log.Apply(n, c); errors.Is(err, delta.ErrTwice) {
		a.find(DoubledEntry, name, "%v", err)
	} else if err != nil {
		a.find(BrokenChain, name, "%v", err)
	}
	for _, add := range c.Adds {
		a.named[add.Path] = true
	}
	if a.sum = ""; intact {
		a.sum = delta.Sum(body)
	}
}

func (a *audit) foreign(name string, c *delta.Commit) {
	if c.ChangesData() {
		a.find(ForeignChange, name, "the commit is not skerry's and changes rows or settings")
		return
	}
	a.r.note(a.table, "foreign commit", name, "rewrites files without a change of rows")
}

// own checks a commit of skerry's against the commits before.
func (a *audit) own(n int64, c *delta.Commit, own *delta.Info) {
	name := delta.Name(n)
	switch {
	case own.Site != a.site || own.Stream != a.table:
		a.find(BrokenChain, name, "it belongs to %s/%s", own.Site, own.Stream)
	case own.Commit != n:
		a.find(DoubledEntry, name, "it is a copy of commit %d", own.Commit)
	case a.sum != "" && own.Previous != a.sum:
		a.find(BrokenChain, name, "it does not follow commit %d as that one is now", n-1)
	}
	if a.epoch != (delta.Epoch{}) {
		if order, err := own.Epoch.Compare(a.epoch); err != nil || order < 0 {
			a.find(EpochBack, name, "incarnation %d term %d comes after incarnation %d term %d",
				own.Epoch.Incarnation, own.Epoch.Term, a.epoch.Incarnation, a.epoch.Term)
		}
	}
	a.epoch = own.Epoch
	if own.Range == nil {
		if len(c.Adds)+len(c.Removes) > 0 {
			a.find(BrokenChain, name, "a claim adds or removes files")
		}
		return
	}
	a.shipment(n, c, own)
}

// shipment checks a commit that adds rows.
func (a *audit) shipment(n int64, c *delta.Commit, own *delta.Info) {
	name, r := delta.Name(n), fsm.Interval{First: fsm.Seq(own.Range.First), Last: fsm.Seq(own.Range.Last)}
	if r.First < 1 || r.First > r.Last {
		a.find(BrokenChain, name, "it adds rows %d to %d", r.First, r.Last)
		return
	}
	if twice := a.covered.Overlap(r); twice > 0 {
		a.find(DoubledEntry, name, "%d of the rows %d to %d were added before", twice, r.First, r.Last)
	}
	a.covered = a.covered.With(r)
	a.pending = own.Pending
	if len(c.Adds) != 1 {
		a.find(DoubledEntry, name, "it adds %d files for one range", len(c.Adds))
		return
	}
	if len(c.Txns) != 1 || c.Txns[0].AppID != a.site || c.Txns[0].Version != n {
		a.find(BrokenChain, name, "its txn is not {%s, %d}", a.site, n)
	}
	add := &c.Adds[0]
	if f, ok := parseFileName(add.Path); !ok || f.rows != r {
		a.find(BrokenChain, name, "it adds rows %d to %d by the file %s", r.First, r.Last, add.Path)
	}
	stats, err := delta.DecodeStats(add.Stats)
	if err != nil {
		a.find(ChangedStats, name, "%v", err)
		return
	}
	if want := rows([]fsm.Interval{r}); uint64(stats.NumRecords) != want {
		a.find(ChangedCount, name, "its statistics count %d rows, the range %d to %d has %d", stats.NumRecords, r.First, r.Last, want)
	}
	if got, ok := stats.Range("seq"); !ok || got != *own.Range {
		a.find(ChangedStats, name, "its statistics do not begin at seq %d and end at %d", r.First, r.Last)
	}
}
