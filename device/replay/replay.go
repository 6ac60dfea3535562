package replay

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"skerry/device"
)

const (
	lanes     = 16  // messages under way at once; a device keeps to one lane
	laneQueue = 256 // rows that wait in a lane; the file is read no further then
	enough    = 40  // readings in hand that certainly fill a message
	maxLogged = 20  // bad rows that are logged one by one
)

// Config is how a file is replayed.
type Config struct {
	Device   string         // of a wide table
	Speed    float64        // times faster than the file's own times; 0 is as fast as it goes
	Location *time.Location // of times without a zone; nil is UTC
	Log      *slog.Logger   // nil is slog.Default
}

func (c *Config) validate() error {
	if c.Speed < 0 {
		return fmt.Errorf("replay: speed %g is negative", c.Speed)
	}
	if c.Device == "" {
		return errors.New("replay: the device of the readings must be named")
	}
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// Stats are what a replay has done.
type Stats struct {
	Rows     int64 `json:"rows"`     // read, bad ones too
	Readings int64 `json:"readings"` // given to the courier
	Bad      int64 `json:"bad"`      // rows skipped
	Missing  int64 `json:"missing"`  // cells without a value
	Refused  int64 `json:"refused"`  // readings that a gateway refused
}

// Replay is one run over one file.
type Replay struct {
	config  Config
	table   *table
	courier *device.Courier

	rows, readings, bad, missing, refused atomic.Int64
}

// New reads a file's first line; the courier will deliver the rest. It fails
// with ErrNoTable.
func New(c Config, r io.Reader, courier *device.Courier) (*Replay, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	t, err := newTable(r, c.Device, c.Location)
	if err != nil {
		return nil, err
	}
	return &Replay{config: c, table: t, courier: courier}, nil
}

// Stats may be called at any time.
func (r *Replay) Stats() Stats {
	return Stats{
		Rows: r.rows.Load(), Readings: r.readings.Load(), Bad: r.bad.Load(),
		Missing: r.missing.Load(), Refused: r.refused.Load(),
	}
}

// Run posts the file and returns when every message has its answer. When ctx is
// done it posts nothing new, waits up to 30 s for the answers still due, and
// returns ctx's error. It fails too when the file cannot be read on, or with
// device.ErrLedgerFull.
func (r *Replay) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sending, cut := device.Drain(ctx)
	defer cut()
	var queues [lanes]chan []device.Reading
	var wg sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan []device.Reading, laneQueue)
		wg.Go(func() {
			if err := r.drive(ctx, sending, i, queues[i]); err != nil {
				cancel(err)
			}
		})
	}
	err := r.read(ctx, queues[:])
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read gives each row to its lane when it is due.
func (r *Replay) read(ctx context.Context, queues []chan []device.Reading) error {
	var pace pace
	for {
		readings, err := r.table.next()
		r.missing.Store(int64(r.table.missing))
		var bad *rowError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			r.rows.Add(1)
			r.skip(bad)
			continue
		case err != nil:
			return err
		}
		r.rows.Add(1)
		if len(readings) == 0 {
			continue
		}
		if err := pace.wait(ctx, readings[0].Time, r.config.Speed); err != nil {
			return err
		}
		select {
		case queues[laneOf(readings[0].Device)] <- readings:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func laneOf(name string) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, name)
	return int(h.Sum32() % lanes)
}

// skip counts a bad row and logs the first ones.
func (r *Replay) skip(bad *rowError) {
	switch n := r.bad.Add(1); {
	case n <= maxLogged:
		r.config.Log.Warn("row skipped", "err", bad)
	case n == maxLogged+1:
		r.config.Log.Warn("more rows are skipped and only counted")
	}
}

// drive delivers a lane's rows in order until ctx is done. Rows of one device
// that wait go together.
func (r *Replay) drive(ctx, sending context.Context, lane int, queue <-chan []device.Reading) error {
	var readings, held []device.Reading
	for {
		if readings = held; len(readings) == 0 {
			var ok bool
			if readings, ok = <-queue; !ok {
				return nil
			}
		}
		readings, held = gather(readings, queue)
		for len(readings) > 0 && ctx.Err() == nil {
			n, err := r.post(sending, lane, readings)
			if err != nil {
				return err
			}
			readings = readings[n:]
		}
	}
}

// gather adds waiting rows to those in hand while they are of one device and
// may fit into a message; held is a row that is not.
func gather(readings []device.Reading, queue <-chan []device.Reading) (together, held []device.Reading) {
	for len(readings) < enough {
		select {
		case more, ok := <-queue:
			if !ok {
				return readings, nil
			}
			if more[0].Device != readings[0].Device {
				return readings, more
			}
			readings = append(readings, more...)
		default:
			return readings, nil
		}
	}
	return readings, nil
}

// post delivers the first n readings, as many as fit into a message.
func (r *Replay) post(ctx context.Context, lane int, readings []device.Reading) (n int, err error) {
	m, n, err := device.Pack(readings)
	if err != nil {
		return 0, err
	}
	d, err := r.courier.Prepare(m, readings[:n:n], lane)
	if err != nil {
		return 0, err
	}
	r.readings.Add(int64(n))
	err = d.Deliver(ctx)
	if errors.Is(err, device.ErrRefused) {
		r.refused.Add(int64(n))
		r.config.Log.Warn("gateway refused readings", "device", readings[0].Device, "err", err)
		return n, nil
	}
	return n, err
}

// pace turns the file's times into waits.
type pace struct {
	first int64 // of the file, microseconds
	start time.Time
}

// wait returns when a reading of time at is due.
func (p *pace) wait(ctx context.Context, at int64, speed float64) error {
	if speed == 0 {
		return ctx.Err()
	}
	if p.start.IsZero() {
		p.first, p.start = at, time.Now()
	}
	due := p.start.Add(time.Duration(float64(at-p.first) / speed * float64(time.Microsecond)))
	t := time.NewTimer(time.Until(due))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
