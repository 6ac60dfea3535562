package cloudsync

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/fsm"
)

// maxNames bounds the files that names holds, 8 bytes each: two years of a
// commit every minute.
const maxNames = 1 << 20

var (
	errLogCut    = errors.New("the log does not go back to its first commit, so files that no commit names cannot be told from others")
	errManyNames = fmt.Errorf("the log names more than %d files, so those that it does not name are not looked for", maxNames)
)

// names is what a table's log has said from its first commit on: the files that
// it ever added, in the table still or not, and the rows that it added. A file
// it has not named is told for certain; one whose sum begins with the same 64
// bits as a named one's counts as named.
type names struct {
	next    int64    // number of the commit to read next
	sum     string   // SHA-256 of the commit before
	files   []uint64 // their keys, see fileKey
	sorted  bool
	covered fsm.IntervalSet // rows that commits of skerry's added
}

// read takes up to `most` commits into account. whole reports whether it came
// to the end of the log as t knows it; then that end is t's own, by its sum.
func (n *names) read(ctx context.Context, t *table, most int) (whole bool, err error) {
	for ; n.next <= t.version; most-- {
		if most == 0 {
			return false, nil
		}
		body, err := readCommit(ctx, t.bucket, t.prefix, n.next)
		if errors.Is(err, target.ErrNotFound) {
			return false, fmt.Errorf("commit %d of %s: %w", n.next, t.prefix, errLogCut)
		}
		if err != nil {
			return false, err
		}
		if err := n.apply(body); err != nil {
			return false, fmt.Errorf("commit %d of %s: %w", n.next, t.prefix, err)
		}
	}
	if n.sum != t.sum {
		return false, fmt.Errorf("%w: commit %d of %s has changed since it was made", ErrLog, t.version, t.prefix)
	}
	return true, nil
}

// apply takes the next commit into account, wholly or, with an error, not at all.
func (n *names) apply(body []byte) error {
	c, err := delta.Decode(body)
	if err != nil {
		return err
	}
	if own := c.Own(); own != nil {
		if own.Commit != n.next || n.sum != "" && own.Previous != n.sum {
			return fmt.Errorf("%w: it does not follow the commit before", ErrLog)
		}
		if r := own.Range; r != nil {
			if r.First < 1 || r.First > r.Last {
				return fmt.Errorf("%w: it adds rows %d to %d", ErrLog, r.First, r.Last)
			}
			n.covered = n.covered.With(fsm.Interval{First: fsm.Seq(r.First), Last: fsm.Seq(r.Last)})
		}
	}
	if len(n.files)+len(c.Adds) > maxNames {
		return errManyNames
	}
	for i := range c.Adds {
		if key, ok := fileKey(c.Adds[i].Path); ok {
			n.files, n.sorted = append(n.files, key), false
		}
	}
	n.next, n.sum = n.next+1, delta.Sum(body)
	return nil
}

// has reports whether a commit named a file, true for a file that is not one
// of skerry's.
func (n *names) has(name string) bool {
	key, ok := fileKey(name)
	if !ok {
		return true
	}
	if !n.sorted {
		slices.Sort(n.files)
		n.sorted = true
	}
	_, found := slices.BinarySearch(n.files, key)
	return found
}

// fileKey is the part of the sum that stands in the name of a data file of
// skerry's. Other engines may write a path as a URL.
func fileKey(name string) (key uint64, ok bool) {
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	base, ok := strings.CutSuffix(path.Base(name), ".parquet")
	digits := base[strings.LastIndexByte(base, '-')+1:]
	if !ok || len(digits) != 16 {
		return 0, false
	}
	key, err := strconv.ParseUint(digits, 16, 64)
	return key, err == nil
}
