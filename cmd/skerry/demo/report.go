package demo

import (
	"fmt"
	"io"

	"skerry/device"
)

// Report is how a run ended. Acked, Stored, Lost, Duplicates, Unanswered and
// Synced count the devices' readings alone; Stored is the least that any node
// has, Lost and Duplicates the most.
type Report struct {
	Nodes      int      `json:"nodes"`
	Acked      int64    `json:"acked"`
	Stored     int64    `json:"stored"`
	Duplicates int64    `json:"duplicates"`
	Lost       int64    `json:"lost"`
	Synced     int64    `json:"synced"`
	Refused    int64    `json:"refused"`
	Unanswered int64    `json:"unanswered"` // sent, and their devices never heard what became of them
	Bucket     string   `json:"bucket"`
	Damage     int      `json:"damage"` // findings of cloud verify
	Derived    int      `json:"derived"`
	Frames     uint64   `json:"frames"`
	Kills      int      `json:"kills"`
	Seconds    float64  `json:"seconds"`
	P50Millis  float64  `json:"p50_ms"` // from a copy's sending to its 2.04
	P99Millis  float64  `json:"p99_ms"`
	Digest     string   `json:"digest"` // of every node's state, index:hex
	Details    []string `json:"details,omitempty"`
}

// add takes in what one node's history was found to hold.
func (r *Report) add(first bool, node string, found *device.Report) {
	if first {
		r.Stored, r.Unanswered = once(found), int64(found.Unanswered)
	}
	r.Stored = min(r.Stored, once(found))
	r.Lost = max(r.Lost, int64(found.Lost))
	r.Duplicates = max(r.Duplicates, int64(found.Duplicates+found.Ghosts))
	for _, detail := range found.Details {
		r.Details = append(r.Details, node+": "+detail)
	}
}

// Err says what part of the promise was not kept, nil when all was.
func (r *Report) Err() error {
	switch {
	case r.Acked == 0:
		return fmt.Errorf("no reading was acknowledged")
	case r.Lost > 0 || r.Duplicates > 0:
		return fmt.Errorf("the promise is broken: %d lost, %d duplicates", r.Lost, r.Duplicates)
	case r.Stored < r.Acked || r.Stored > r.Acked+r.Unanswered:
		return fmt.Errorf("%d readings are stored, %d were acknowledged", r.Stored, r.Acked)
	case r.Synced != r.Stored:
		return fmt.Errorf("%d readings are in the bucket, %d are stored", r.Synced, r.Stored)
	case r.Damage > 0:
		return fmt.Errorf("the bucket is damaged: skerry cloud verify found %d faults", r.Damage)
	}
	return nil
}

// Print tells the report to people.
func (r *Report) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d nodes, %.0f s, %d kills of the leader\n"+
		"acked: %d readings, p50 %.1f ms, p99 %.1f ms\n"+
		"lost: %d, duplicates: %d\n%s\n%s\n"+
		"derived: %d, frames: %d\nbucket: %s\n",
		r.Nodes, r.Seconds, r.Kills, r.Acked, r.P50Millis, r.P99Millis, r.Lost, r.Duplicates,
		relation("stored", r.Stored, "acked", r.Acked), relation("synced", r.Synced, "stored", r.Stored),
		r.Derived, r.Frames, r.Bucket)
	for _, detail := range r.Details {
		if err == nil {
			_, err = fmt.Fprintln(w, detail)
		}
	}
	return err
}

// relation says whether two numbers are the same.
func relation(a string, n int64, b string, m int64) string {
	sign := "="
	switch {
	case n < m:
		sign = "<"
	case n > m:
		sign = ">"
	}
	return fmt.Sprintf("%s %s %s (%d, %d)", a, sign, b, n, m)
}
