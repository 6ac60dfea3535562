package senml

import (
	"errors"
	"fmt"
)

// ErrTooLarge: the pack exceeds MaxPack or MaxRecords.
var ErrTooLarge = errors.New("pack is too large: send it in parts")

// Error says what is wrong with a pack, in words for its sender.
type Error struct {
	Record int    // counted from 1; 0 when it is the pack as a whole
	Label  string // "" when it is the record as a whole
	Reason string
}

func (e *Error) Error() string {
	switch {
	case e.Record == 0:
		return "pack " + e.Reason
	case e.Label == "":
		return fmt.Sprintf("record %d: %s", e.Record, e.Reason)
	}
	return fmt.Sprintf("record %d, %s: %s", e.Record, e.Label, e.Reason)
}
