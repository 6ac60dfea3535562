package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"skerry/fsm"
)

// latestBatch bounds the series that are looked at under one hold of the
// state's lock.
const latestBatch = 4096

// LatestQuery asks for the latest readings of series, by device, then resource.
type LatestQuery struct {
	Filter fsm.Filter
	Limit  int    // 1 to MaxLimit
	Cursor string // Page.Next of the page before, "" for the first
}

// LatestPage answers a query. A series that has frames only is not in it.
// Readings that come in between two pages are in the second as they then are.
// Errors: ErrCursor.
func (v *View) LatestPage(q LatestQuery) (Page, error) {
	if err := checkLimit(q.Limit); err != nil {
		return Page{}, err
	}
	at := fsm.SeriesName{Device: q.Filter.DevicePrefix()}
	if q.Cursor != "" {
		i := strings.LastIndexByte(q.Cursor, '/')
		if i < 0 {
			return Page{}, fmt.Errorf("%w: %q", ErrCursor, q.Cursor)
		}
		// No name lies between this and the one after the cursor's.
		at = fsm.SeriesName{Device: q.Cursor[:i], Resource: q.Cursor[i+1:] + "\x00"}
	}
	var page Page
	for {
		var end bool
		at, end = v.n.replica.latestFrom(at, &q, &page)
		if len(page.Readings) > q.Limit {
			last := page.Readings[q.Limit-1]
			page.Readings = page.Readings[:q.Limit]
			page.Next = last.Device + "/" + last.Resource
			return page, nil
		}
		if end {
			return page, nil
		}
	}
}

// latestFrom adds latest readings of series from a name on, up to one more than
// the limit, and returns the name to go on with. end: there is none.
func (r *replica) latestFrom(at fsm.SeriesName, q *LatestQuery, page *Page) (next fsm.SeriesName, end bool) {
	life, names, ids := r.byName()
	prefix := q.Filter.DevicePrefix()
	i := sort.Search(len(ids), func(i int) bool { return compareNames(names[ids[i]], at) >= 0 })
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.life != life { // a snapshot came: names have other ids now
		return at, false
	}
	for n := range latestBatch {
		if i+n >= len(ids) || len(page.Readings) > q.Limit {
			return at, true
		}
		id := ids[i+n]
		name := names[id]
		if !strings.HasPrefix(name.Device, prefix) {
			return at, true
		}
		at = fsm.SeriesName{Device: name.Device, Resource: name.Resource + "\x00"}
		if !q.Filter.Match(name) {
			continue
		}
		if x, ok := r.state.Latest(id); ok {
			page.Readings = append(page.Readings, x)
		}
	}
	return at, false
}

func compareNames(a, b fsm.SeriesName) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Resource, b.Resource))
}

// nameOrder keeps the ids of all series in the order of their names: 4 bytes a
// series. Names are only added, until a snapshot replaces the state.
type nameOrder struct {
	mu   sync.Mutex // held while sorting, so that one sorts at a time
	life uint64     // of the state whose ids these are
	ids  []uint32   // never changed, replaced
}

// byName returns the names of a state's series by id, and the ids in the order
// of names. It sorts without the state's lock.
func (r *replica) byName() (life uint64, names []fsm.SeriesName, ids []uint32) {
	o := &r.order
	o.mu.Lock()
	defer o.mu.Unlock()
	r.mu.RLock()
	life = r.life
	_, all := r.state.Head()
	r.mu.RUnlock()
	names = all.Series
	if o.life != life {
		o.life, o.ids = life, nil
	}
	if known := len(o.ids); known < len(names) {
		added := make([]uint32, 0, len(names)-known)
		for id := known; id < len(names); id++ {
			added = append(added, uint32(id))
		}
		byName := func(a, b uint32) int { return compareNames(names[a], names[b]) }
		slices.SortFunc(added, byName)
		o.ids = merged(o.ids, added, byName)
	}
	return life, names, o.ids
}

// merged is the elements of two sorted lists, sorted.
func merged(a, b []uint32, compare func(a, b uint32) int) []uint32 {
	out := make([]uint32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
