package cluster

import (
	"context"
	"fmt"

	"skerry/fsm"
)

// Consistency is what a View promises.
type Consistency uint8

const (
	// Linearizable: every write acknowledged before the view was asked for is in it.
	Linearizable Consistency = iota
	// Leader: as of the node that believes to lead; it may be a deposed one.
	Leader
	// Local: what this node has applied.
	Local
)

// ParseConsistency reads "linearizable", "leader" or "local".
func ParseConsistency(s string) (Consistency, error) {
	switch s {
	case "linearizable":
		return Linearizable, nil
	case "leader":
		return Leader, nil
	case "local":
		return Local, nil
	}
	return 0, fmt.Errorf("consistency %q is not known: use linearizable, leader or local", s)
}

// Query asks for a series' readings with From <= time < To, by time, then seq.
type Query struct {
	Device   string
	Resource string
	From     int64  // microseconds since 1970 UTC, inclusive
	To       int64  // exclusive; math.MaxInt64 for no end
	Limit    int    // 1 to MaxLimit
	Cursor   string // Page.Next of the page before, "" for the first
}

// MaxLimit bounds the readings of one page.
const MaxLimit = 100_000

// Page is a part of an answer. Next is "" after the last one.
type Page struct {
	Readings []fsm.Reading
	Next     string
}

// View reads the state as of one moment or later: each call sees at least what
// the view's consistency promises, and never goes back.
type View struct{ n *Node }

// Latest is the reading of a series that entered the site last.
func (v *View) Latest(device, resource string) (fsm.Reading, bool) { panic("draft") }

// LatestOf is the latest reading of each resource of a device, by resource.
func (v *View) LatestOf(device string) []fsm.Reading { panic("draft") }

// Devices are the names of all devices with their resources, sorted.
func (v *View) Devices() []Device { panic("draft") }

// Device is a name that has posted, with its resources, sorted.
type Device struct {
	Name      string
	Resources []string
	Received  int64 // of its last reading or frame, microseconds since 1970 UTC
}

// Range answers a query. Errors: ErrMissing, context errors, a bad cursor.
func (v *View) Range(ctx context.Context, q Query) (Page, error) { panic("draft") }

// After returns up to limit readings with seq > after, in seq order.
func (v *View) After(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Reading, error) {
	panic("draft")
}

// LatestFrame is the frame of a series that entered the site last.
func (v *View) LatestFrame(device, resource string) (fsm.Frame, bool) { panic("draft") }

// FramesAfter returns up to limit frames with seq > after, in seq order.
func (v *View) FramesAfter(ctx context.Context, after fsm.Seq, limit int) ([]fsm.Frame, error) {
	panic("draft")
}

// JPEG returns the bytes of a frame. Errors: ErrMissing.
func (v *View) JPEG(ctx context.Context, seq fsm.Seq) ([]byte, error) { panic("draft") }

// Last is the last seq given in a stream, 0 for none.
func (v *View) Last(s fsm.Stream) fsm.Seq { panic("draft") }

// Cuts are the closed ranges of a stream from the one that contains from on,
// ascending. The slice is the caller's.
func (v *View) Cuts(s fsm.Stream, from fsm.Seq) []fsm.Cut { panic("draft") }

// Synced are the ranges of a stream that the bucket has, ascending, not
// touching, and the last ship counter (version of the table's txn).
func (v *View) Synced(s fsm.Stream) (ranges []fsm.Interval, version uint64) { panic("draft") }

// Gaps are the gaps with seq > after, ascending.
func (v *View) Gaps(after fsm.Seq) []fsm.Gap { panic("draft") }

// Tasks are all tasks by ID. The slice is the caller's.
func (v *View) Tasks() []fsm.Task { panic("draft") }

// Task is one task.
func (v *View) Task(id string) (fsm.Task, bool) { panic("draft") }

// Site is the site's genesis; ok is false before it.
func (v *View) Site() (g fsm.Genesis, ok bool) { panic("draft") }

// Incarnation is the counter of the site's history, raised by restore.
func (v *View) Incarnation() uint64 { panic("draft") }

// LogTime is the log time of the last applied entry.
func (v *View) LogTime() fsm.LogTime { panic("draft") }
