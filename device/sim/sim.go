package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"skerry/device"
)

// MaxDevices bounds a simulation; each device is a goroutine.
const MaxDevices = 10_000

// Config is what is simulated.
type Config struct {
	Seed    uint64
	Devices int           // 1 to MaxDevices
	Every   time.Duration // between two measurements of a device
	Prefix  string        // of device names, "" for none
	Log     *slog.Logger  // nil is slog.Default
}

func (c *Config) validate() error {
	if c.Devices < 1 || c.Devices > MaxDevices {
		return fmt.Errorf("sim: %d devices, want 1 to %d", c.Devices, MaxDevices)
	}
	if c.Every < time.Millisecond {
		return fmt.Errorf("sim: a measurement every %s, want 1ms or more", c.Every)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return nil
}

// Sim is a crowd of sensors.
type Sim struct {
	config  Config
	courier *device.Courier
}

// New makes a simulation whose messages the courier delivers.
func New(c Config, courier *device.Courier) (*Sim, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &Sim{config: c, courier: courier}, nil
}

// Run simulates until ctx is done, then lets messages under way come to their
// answer for up to 30 s and returns nil. It stops by itself with
// device.ErrLedgerFull.
func (s *Sim) Run(ctx context.Context) error {
	measuring, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	sending, cut := device.Drain(measuring)
	defer cut()

	start := time.Now()
	var wg sync.WaitGroup
	for i := range s.config.Devices {
		sensor := newSensor(s.config.Prefix, s.config.Seed, i, start)
		wg.Go(func() {
			if err := s.live(measuring, sending, sensor); err != nil {
				stop(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(measuring); errors.Is(err, device.ErrLedgerFull) {
		return err
	}
	return nil
}

// live is the life of one sensor. Measurements whose time comes while a message
// is under way are left out.
func (s *Sim) live(measuring, sending context.Context, sensor *sensor) error {
	select { // spread the crowd over the first interval
	case <-measuring.Done():
		return nil
	case <-time.After(time.Duration(sensor.rand.Float64() * float64(s.config.Every))):
	}
	tick := time.NewTicker(s.config.Every)
	defer tick.Stop()
	for {
		if sensor.measure(time.Now()) {
			if err := s.send(sending, sensor); err != nil {
				return err
			}
		}
		select {
		case <-measuring.Done():
			return nil
		case <-tick.C:
		}
	}
}

// send delivers what the sensor has kept, message by message.
func (s *Sim) send(ctx context.Context, sensor *sensor) error {
	for {
		m, readings, err := sensor.next(time.Now())
		if err != nil || len(readings) == 0 {
			return err
		}
		d, err := s.courier.Prepare(m, readings, sensor.home)
		if err != nil {
			return err
		}
		switch err := d.Deliver(ctx); {
		case errors.Is(err, device.ErrRefused):
			s.config.Log.Warn("gateway refused a reading", "device", sensor.name, "err", err)
		case err != nil:
			return nil // the simulation is over
		case sensor.rand.Float64() < repeatChance:
			_, _ = d.Repeat(ctx) // whatever is answered, the first answer counts
		}
	}
}
