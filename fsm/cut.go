package fsm

import "time"

// Cut is the replicated fact that the rows First..Last of a stream are closed.
// It says nothing about files: each node writes a segment of its own.
type Cut struct {
	First  Seq
	Last   Seq
	Digest RowDigest // of the rows' logical values, whatever their order
	Day    int32     // UTC days since 1970 of received; a cut never spans two
}

// Rows is the number of rows in the cut.
func (c Cut) Rows() int { return int(c.Last - c.First + 1) }

// Date is the cut's UTC date of received as 2006-01-02.
func (c Cut) Date() string {
	return time.Unix(int64(c.Day)*86400, 0).UTC().Format(time.DateOnly)
}

// Interval is an inclusive range of a sequence.
type Interval struct{ First, Last Seq }

// Gap is a replicated record of readings or frames that were dropped on purpose.
type Gap struct {
	Seq    Seq // of the gaps' own sequence
	Stream Stream
	First  Seq // of the rows dropped
	Last   Seq
	Count  uint64 // rows that never reach the table
	Reason string
}
