package task

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"skerry/fsm"
)

// savedVersion is the version of the saved state, see the package's doc.
const savedVersion = 1

// ErrSaved: a task's saved state cannot be read.
var ErrSaved = errors.New("the task's saved state cannot be read")

// saved is the encoding of a tally. Columns, because most counts and revisions
// are one byte long: the state is written to every disk with every step.
type saved struct {
	Version uint64   `cbor:"1,keyasint"`
	Base    int64    `cbor:"2,keyasint"`
	Counts  []uint64 `cbor:"3,keyasint"`
	Revs    []uint64 `cbor:"4,keyasint"`
	Changed []int    `cbor:"5,keyasint,omitempty"`
	Current int64    `cbor:"6,keyasint"`
	Late    uint64   `cbor:"7,keyasint"`
	Skipped uint64   `cbor:"8,keyasint"`
}

func (t *tally) save() ([]byte, error) {
	s := saved{
		Version: savedVersion, Base: t.base, Current: t.current, Late: t.late, Skipped: t.skipped,
		Counts: make([]uint64, len(t.kept)), Revs: make([]uint64, len(t.kept)),
	}
	for i, w := range t.kept {
		s.Counts[i], s.Revs[i] = w.count, w.rev
		if w.changed {
			s.Changed = append(s.Changed, i)
		}
	}
	b, err := cbor.Marshal(&s)
	if err != nil {
		return nil, fmt.Errorf("encode the state of a count: %w", err)
	}
	return b, nil
}

// loadTally is the tally that a task's last committed step left. Errors:
// ErrSaved.
func loadTally(spec fsm.TaskSpec, b []byte) (*tally, error) {
	t := newTally(spec)
	if len(b) == 0 {
		return t, nil
	}
	var s saved
	if err := cbor.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	if s.Version > savedVersion {
		return nil, fmt.Errorf("%w: a newer skerry wrote version %d, this one reads up to %d: upgrade this node", ErrSaved, s.Version, savedVersion)
	}
	if s.Version == 0 || len(s.Counts) > MaxKept || len(s.Counts) != len(s.Revs) {
		return nil, fmt.Errorf("%w: version %d with %d counts and %d revisions", ErrSaved, s.Version, len(s.Counts), len(s.Revs))
	}
	t.base, t.current, t.late, t.skipped = s.Base, s.Current, s.Late, s.Skipped
	t.kept = make([]window, len(s.Counts))
	for i := range t.kept {
		t.kept[i].count, t.kept[i].rev = s.Counts[i], s.Revs[i]
	}
	for _, i := range s.Changed {
		if i < 0 || i >= len(t.kept) {
			return nil, fmt.Errorf("%w: change of window %d of %d", ErrSaved, i, len(t.kept))
		}
		t.kept[i].changed = true
	}
	return t, nil
}

// Progress is what a task's saved state tells people.
type Progress struct {
	Windows int    `json:"windows"` // kept open to corrections
	First   int64  `json:"first"`   // start of the first of them, microseconds since 1970; 0 when there is none
	Last    int64  `json:"last"`    // start of the last of them
	Pending int    `json:"pending"` // of them not emitted, or changed since
	Late    uint64 `json:"late"`    // readings older than the windows kept, not counted
	Skipped uint64 `json:"skipped"` // windows of long pauses, not emitted
}

// ProgressOf reads the saved state of a task. Errors: ErrSaved.
func ProgressOf(task *fsm.Task) (Progress, error) {
	t, err := loadTally(task.Spec, task.Saved)
	if err != nil {
		return Progress{}, fmt.Errorf("task %s: %w", task.ID, err)
	}
	p := Progress{Windows: len(t.kept), Late: t.late, Skipped: t.skipped}
	if len(t.kept) > 0 {
		p.First, p.Last = t.start(t.base), t.start(t.base+int64(len(t.kept))-1)
	}
	for i := range t.kept {
		if t.kept[i].pending() {
			p.Pending++
		}
	}
	return p, nil
}
