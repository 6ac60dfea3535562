package cluster

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"skerry/fsm"
	"skerry/fsm/segment"
)

const (
	// MaxLimit bounds the readings, windows or latest values of one page.
	MaxLimit = 100_000
	// maxPageBytes bounds the texts and bytes of a page of more than one reading:
	// it then ends before its limit.
	maxPageBytes = 4 << 20
	// maxQueries bounds the pages that are looked for at once, and so their
	// memory; more wait.
	maxQueries = 8
)

// Query asks for a series' readings with From <= time < To, by time, then seq.
type Query struct {
	Device     string
	Resource   string
	From       int64  // microseconds since 1970 UTC, inclusive
	To         int64  // exclusive; math.MaxInt64 for no end
	Descending bool   // the newest first
	Limit      int    // 1 to MaxLimit
	Cursor     string // Page.Next of the page before, "" for the first
}

// Page is a part of an answer. Next is "" after the last one.
type Page struct {
	Readings []fsm.Reading
	Next     string
}

// position is where a reading stands in its series.
type position struct {
	time int64
	seq  fsm.Seq
}

func (p position) compare(x position) int {
	return cmp.Or(cmp.Compare(p.time, x.time), cmp.Compare(p.seq, x.seq))
}

func positionOf(x *fsm.Reading) position { return position{x.Time, x.Seq} }

// descendingMark ends the cursors of pages with the newest first.
const descendingMark = "d"

func (q *Query) cursorAt(p position) string {
	s := fmt.Sprintf("%d.%d", p.time, p.seq)
	if q.Descending {
		s += descendingMark
	}
	return s
}

// begin is the position after which the page begins; ok is false for the first.
func (q *Query) begin() (p position, ok bool, err error) {
	if q.Cursor == "" {
		return p, false, nil
	}
	text, descending := strings.CutSuffix(q.Cursor, descendingMark)
	if descending != q.Descending {
		return p, false, fmt.Errorf("%w: %q is of the other order", ErrCursor, q.Cursor)
	}
	t, s, ok := strings.Cut(text, ".")
	micros, err1 := strconv.ParseInt(t, 10, 64)
	seq, err2 := strconv.ParseUint(s, 10, 64)
	if !ok || err1 != nil || err2 != nil || micros == math.MaxInt64 {
		return p, false, fmt.Errorf("%w: %q", ErrCursor, q.Cursor)
	}
	return position{micros, fsm.Seq(seq)}, true, nil
}

// nearest keeps the limit readings that come first in a query's order. The
// limit shrinks, to 2 at least, where they have more than maxPageBytes.
//
// Invariant: where full, list[:limit] is sorted and nothing after its last
// reading is wanted.
type nearest struct {
	limit      int
	descending bool
	list       []fsm.Reading
	bytes      int // of texts and data in list
	full       bool
}

func (n *nearest) compare(a, b position) int {
	if n.descending {
		a, b = b, a
	}
	return a.compare(b)
}

// add takes a reading; it returns false for one that is not wanted, nor is any
// after it.
func (n *nearest) add(r fsm.Reading) bool {
	if n.full && n.compare(positionOf(&r), positionOf(&n.list[n.limit-1])) > 0 {
		return false
	}
	n.list = append(n.list, r)
	n.bytes += payload(&r.Value)
	if len(n.list) >= 2*n.limit+64 || n.bytes >= 2*maxPageBytes {
		n.trim()
	}
	return true
}

func (n *nearest) trim() {
	slices.SortFunc(n.list, func(a, b fsm.Reading) int { return n.compare(positionOf(&a), positionOf(&b)) })
	bytes := 0
	for i := range n.list[:min(len(n.list), n.limit)] {
		if bytes += payload(&n.list[i].Value); bytes > maxPageBytes {
			n.limit = min(n.limit, max(i+1, 2))
			break
		}
	}
	if len(n.list) > n.limit {
		clear(n.list[n.limit:])
		n.list = n.list[:n.limit]
	}
	n.bytes = 0
	for i := range n.list {
		n.bytes += payload(&n.list[i].Value)
	}
	n.full = len(n.list) == n.limit
}

// payload is the bytes of a text or of data.
func payload(v *fsm.Value) int { return len(v.Text) + len(v.Data) }

// narrow leaves out of a range of times what comes after the readings found.
func (n *nearest) narrow(from, to int64) (int64, int64) {
	if len(n.list) > n.limit {
		n.trim()
	}
	if !n.full {
		return from, to
	}
	last := n.list[n.limit-1].Time
	if n.descending {
		return max(from, last), to
	}
	return from, min(to, last+1)
}

// startQuery waits for its turn among maxQueries; the caller calls end after.
func (r *replica) startQuery(ctx context.Context) (end func(), err error) {
	select {
	case r.queries <- struct{}{}:
		return func() { <-r.queries }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func checkLimit(limit int) error {
	if limit < 1 || limit > MaxLimit {
		return fmt.Errorf("limit %d is out of range: 1 to %d", limit, MaxLimit)
	}
	return nil
}

// query answers q. It reads the parts that may hold the page and no others, and
// holds about twice the page.
func (r *replica) query(ctx context.Context, q Query) (Page, error) {
	after, given, err := q.begin()
	if err != nil {
		return Page{}, err
	}
	if err := checkLimit(q.Limit); err != nil {
		return Page{}, err
	}
	from, to := q.From, q.To
	if given && q.Descending {
		to = min(to, after.time+1)
	} else if given {
		from = max(from, after.time)
	}
	end, err := r.startQuery(ctx)
	if err != nil {
		return Page{}, err
	}
	defer end()
	found := nearest{limit: q.Limit + 1, descending: q.Descending}
	take := func(x fsm.Reading) bool {
		return given && found.compare(positionOf(&x), after) <= 0 || found.add(x)
	}
	err = r.series(ctx, seriesAsk{
		Ask:    segment.Ask{Device: q.Device, Resource: q.Resource, From: from, To: to, Descending: q.Descending, Whole: true},
		narrow: found.narrow,
		memory: func(rows *fsm.Rows, names *fsm.Names, i int) { take(rows.Reading(i, names)) },
		run: func(run *segment.Run, _ fsm.Cut) bool {
			for i := range run.Len() {
				if q.Descending {
					i = run.Len() - 1 - i
				}
				if !take(run.Reading(i)) {
					return false
				}
			}
			return true
		},
	})
	if err != nil {
		return Page{}, err
	}
	found.trim()
	page := Page{Readings: found.list}
	if found.full {
		page.Readings = page.Readings[:found.limit-1]
		page.Next = q.cursorAt(positionOf(&page.Readings[found.limit-2]))
	}
	return page, nil
}
