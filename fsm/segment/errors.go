package segment

import (
	"errors"
	"fmt"
)

var (
	// ErrDamaged says that a file is not what was written: fetch it again.
	ErrDamaged = errors.New("segment is damaged")
	// ErrForeign says that a file is not a segment of skerry.
	ErrForeign = errors.New("not a segment of skerry")
	// ErrNewer says that a newer skerry wrote the file.
	ErrNewer = errors.New("segment was written by a newer skerry: update this node to read it")
	// ErrOtherRows says that rows or bytes given to be written, or a file's
	// rows, are not those of the cut.
	ErrOtherRows = errors.New("rows are not those of the cut")
	// ErrStream says that a segment of frames was asked for readings, or the
	// other way round.
	ErrStream = errors.New("segment is of the other stream")
)

// damaged is ErrDamaged with what was found.
func damaged(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
}

// rescue turns a panic of a decoder that met hostile bytes into ErrDamaged. It
// is deferred where bytes from outside enter.
func rescue(err *error) {
	if p := recover(); p != nil {
		*err = damaged("decoding: %v", p)
	}
}
