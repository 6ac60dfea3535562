package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"skerry/device"
	"skerry/device/replay"
)

// replayDrain is how long messages of a file that are under way when the load
// ends may still wait for their answer.
const replayDrain = 15 * time.Second

// replaying posts a file of real data until the load ends.
type replaying struct {
	file    *os.File
	rows    *untilOver
	replay  *replay.Replay
	journal *journal
}

// openReplay opens a CSV file; the readings of a wide one belong to a device
// with the file's name.
func openReplay(name string, speed float64, courier *device.Courier, j *journal) (*replaying, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	base := filepath.Base(name)
	cfg := replay.Config{
		Device: strings.TrimSuffix(base, filepath.Ext(base)), Speed: speed,
		Log: slog.New(slog.DiscardHandler), // bad rows are told at the end
	}
	r := &replaying{file: file, rows: newUntilOver(file), journal: j}
	if r.replay, err = replay.New(cfg, r.rows, courier); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), file.Close())
	}
	return r, nil
}

// run posts until the file or ctx ends, and returns when what is under way has
// its answer.
func (r *replaying) run(ctx context.Context) error {
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		r.rows.over.Store(true)
		t := time.AfterFunc(replayDrain, cut)
		context.AfterFunc(sending, func() { t.Stop() })
	})()
	err := r.replay.Run(sending)
	st := r.replay.Stats()
	r.journal.add(fmt.Sprintf("the file has given %d readings of %d rows, %d rows were not readable", st.Readings, st.Rows, st.Bad))
	if sending.Err() != nil {
		return nil // the load is over; the ledger knows what had no answer
	}
	return err
}

// untilOver is a file that ends when the load does. It gives a line at a time,
// so that no rows are read ahead and posted after the end.
type untilOver struct {
	lines *bufio.Reader
	left  []byte // of the line begun
	over  atomic.Bool
}

func newUntilOver(r io.Reader) *untilOver { return &untilOver{lines: bufio.NewReader(r)} }

// Read implements io.Reader.
func (u *untilOver) Read(b []byte) (int, error) {
	if len(u.left) == 0 {
		if u.over.Load() {
			return 0, io.EOF
		}
		line, err := u.lines.ReadBytes('\n')
		if len(line) == 0 {
			return 0, err
		}
		u.left = line
	}
	n := copy(b, u.left)
	u.left = u.left[n:]
	return n, nil
}
