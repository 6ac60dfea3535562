package cloudsync

import (
	"fmt"

	"skerry/cloudsync/delta"
)

// Kind names what is wrong with a bucket.
type Kind string

const (
	MissingTable  Kind = "missing table"
	MissingCommit Kind = "missing log entry"
	DamagedCommit Kind = "damaged log entry" // not the bytes that were written
	BrokenChain   Kind = "broken chain"      // a log entry that does not follow the one before
	EpochBack     Kind = "epoch went back"   // an older leader wrote after a newer one
	DoubledEntry  Kind = "doubled entry"     // a log entry, a file or rows that are there twice
	ForeignChange Kind = "foreign change"    // somebody else changed rows or settings
	MissingFile   Kind = "missing file"
	ChangedFile   Kind = "changed file" // not the bytes, or not the rows, that were shipped
	ChangedCount  Kind = "changed count"
	ChangedStats  Kind = "changed statistics"
	MissingRows   Kind = "missing rows" // neither in the table nor in gaps
	Orphan        Kind = "orphan file"  // no commit names it; harmless
	NewerFormat   Kind = "newer format"
)

// Finding is one thing that was found.
type Finding struct {
	Table  string `json:"table"` // readings, frames, gaps
	Kind   Kind   `json:"kind"`
	Object string `json:"object"` // under the table, "" where it is about the table
	Detail string `json:"detail"`
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s: %s", f.Table, f.Kind, f.Object, f.Detail)
}

// TableReport is what a table was found to hold.
type TableReport struct {
	Table  string      `json:"table"`
	Commit int64       `json:"commit"` // number of the last one, -1 for none
	Files  int         `json:"files"`
	Rows   uint64      `json:"rows"`
	Bytes  int64       `json:"bytes"` // of the files in the table
	Last   uint64      `json:"last"`  // last seq in the table
	Epoch  delta.Epoch `json:"epoch"` // of the last leader
}

// Report is the result of a walk over the three tables.
type Report struct {
	URL     string        `json:"url"`
	Site    string        `json:"site"`
	Tables  []TableReport `json:"tables"`  // readings, frames, gaps
	Dropped uint64        `json:"dropped"` // readings that gaps count
	// DroppedFrames are frames that gaps count.
	DroppedFrames uint64 `json:"dropped_frames"`

	Findings []Finding `json:"findings"` // what is wrong; empty in a sound bucket
	Notes    []Finding `json:"notes"`    // what is worth knowing and harmless
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// Expect adds a finding if a table's log ends before a commit that the site
// knows it has made. A log whose last entries were taken off is whole in itself;
// only the site can tell.
func (r *Report) Expect(table string, commit int64) {
	for _, t := range r.Tables {
		if t.Table == table && t.Commit < commit {
			r.find(table, MissingCommit, delta.Name(commit), "the site made commit %d, the log ends at %d", commit, t.Commit)
		}
	}
}

func (r *Report) find(table string, kind Kind, object, format string, a ...any) {
	r.Findings = append(r.Findings, Finding{table, kind, object, fmt.Sprintf(format, a...)})
}

func (r *Report) note(table string, kind Kind, object, format string, a ...any) {
	r.Notes = append(r.Notes, Finding{table, kind, object, fmt.Sprintf(format, a...)})
}
