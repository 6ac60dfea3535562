package task

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"skerry/fsm"
)

// scanPage bounds the readings held at once while history is scanned.
const scanPage = 4096

// Window is one window of a count.
type Window struct {
	Start int64  `json:"start"` // microseconds since 1970 UTC, inclusive
	Count uint64 `json:"count"`
	Rev   uint64 `json:"rev,omitempty"` // of the emission, 0 in a recount
}

// Recounted is what a task's windows hold by the store's history alone.
type Recounted struct {
	Windows []Window // by start, up to that of the last reading
	Late    uint64
	Skipped uint64
}

// Recount counts a task's windows again, from Task.Start to Task.Cursor, by the
// same rule but with none of its saved state. It reads all that history; of a
// window that ended after the cursor it holds a part.
func Recount(ctx context.Context, h History, task *fsm.Task) (Recounted, error) {
	t := newTally(task.Spec)
	var out Recounted
	gather := func(windows int) {
		for i, w := range t.kept[:windows] {
			out.Windows = append(out.Windows, Window{Start: t.start(t.base + int64(i)), Count: w.count})
		}
	}
	err := scan(ctx, h, task.Start, task.Cursor, func(r *fsm.Reading) {
		if t.own(r) || !t.concerns(r) {
			return
		}
		n := t.number(r.Received)
		gather(t.leaving(n))
		t.count(n, r)
	})
	if err != nil {
		return Recounted{}, fmt.Errorf("recount task %s: %w", task.ID, err)
	}
	gather(len(t.kept))
	out.Late, out.Skipped = t.late, t.skipped
	return out, nil
}

// Emitted are the windows that a task has stored in its output, by start, each
// with its highest revision.
func Emitted(ctx context.Context, h History, task *fsm.Task) ([]Window, error) {
	rev := task.Spec.OutputResource + fsm.RevisionSuffix
	var out []Window
	at := make(map[int64]int) // position in out by start
	err := scan(ctx, h, task.Start, h.Last(fsm.Readings), func(r *fsm.Reading) {
		if r.Device != task.Spec.OutputDevice || (r.Resource != task.Spec.OutputResource && r.Resource != rev) {
			return
		}
		i, ok := at[r.Time]
		if !ok {
			i = len(out)
			at[r.Time] = i
			out = append(out, Window{Start: r.Time})
		}
		if r.Resource == rev {
			out[i].Rev = uint64(r.Value.Number)
		} else {
			out[i].Count = uint64(r.Value.Number)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read the output of task %s: %w", task.ID, err)
	}
	slices.SortFunc(out, func(a, b Window) int { return cmp.Compare(a.Start, b.Start) })
	return out, nil
}

// scan gives each reading with after < seq <= last, in seq order.
func scan(ctx context.Context, h History, after, last fsm.Seq, each func(*fsm.Reading)) error {
	for after < last {
		page, err := h.After(ctx, after, int(min(scanPage, last-after)))
		if err != nil {
			return err
		}
		if len(page) == 0 { // the rest is erased
			return nil
		}
		for i := range page {
			if page[i].Seq > last {
				return nil
			}
			each(&page[i])
		}
		after = page[len(page)-1].Seq
	}
	return nil
}
