package camera

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"skerry/fsm"
)

// Config is how a camera is read and what it is called.
type Config struct {
	Name   string // device that frames and readings belong to
	Source string // address of the pictures, see newSource
	// FrameResource and MotionResource name the two series of an event.
	FrameResource  string // "" is DefaultFrameResource
	MotionResource string // "" is DefaultMotionResource
	// Key makes the key of an item from what identifies it. The same parts
	// give the same key. It fails while the site's secret is not known.
	Key func(parts ...[]byte) (fsm.Key, error)
	Log *slog.Logger // nil is slog.Default
}

// The series of an event where the configuration names none.
const (
	DefaultFrameResource  = "frame"
	DefaultMotionResource = "motion"
)

// validate fills the defaults in and tells what is wrong.
func (c *Config) validate() error {
	if c.FrameResource == "" {
		c.FrameResource = DefaultFrameResource
	}
	if c.MotionResource == "" {
		c.MotionResource = DefaultMotionResource
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Key == nil {
		return errors.New("camera: Key must be given, it makes the keys of a site")
	}
	for _, resource := range []string{c.FrameResource, c.MotionResource} {
		r := fsm.Record{Device: c.Name, Resource: resource, Value: fsm.FlagValue(true)}
		if err := r.Validate(); err != nil {
			return fmt.Errorf("camera %q: %w", c.Name, err)
		}
	}
	return nil
}

// Camera watches one source and stores its events.
type Camera struct {
	config Config
	source Source
	events *deliverer
	status *status
	log    *slog.Logger

	detector Detector // these two belong to the goroutine that analyses
	tracker  Tracker
}

// New makes a camera; nothing runs yet. It fails on a wrong name or address.
func New(c Config, p Proposer) (*Camera, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	st := new(status)
	log := c.Log.With("device", c.Name)
	src, err := newSource(c.Source, log, st)
	if err != nil {
		return nil, err
	}
	return &Camera{config: c, source: src, events: newDeliverer(&c, p, st), status: st, log: log}, nil
}

// Run makes a camera and runs it.
func Run(ctx context.Context, c Config, p Proposer) error {
	cam, err := New(c, p)
	if err != nil {
		return err
	}
	return cam.Run(ctx)
}

// Stats may be called at any time.
func (c *Camera) Stats() Stats { return c.status.stats() }

// Run watches until ctx is done, then returns nil; events that the site has not
// taken by then are lost. It returns too when the source has ended and every
// event is stored, or with the reason why the source cannot go on.
func (c *Camera) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	frames := newSlot()
	var sourceErr error
	var wg sync.WaitGroup
	wg.Go(func() { sourceErr = frames.pump(ctx, c.source, c.status) })
	wg.Go(func() { c.events.run(ctx) })
	c.watch(frames)
	c.events.close()
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return sourceErr
}

// watch analyses frames until the slot is closed. An open event is over when no
// frame has come for a while, too.
func (c *Camera) watch(frames slot) {
	idle := time.NewTicker(Quiet)
	defer idle.Stop()
	for {
		select {
		case f, ok := <-frames:
			if !ok {
				c.found(c.tracker.Close())
				return
			}
			c.look(f)
		case now := <-idle.C:
			if c.tracker.Idle(now) {
				c.found(c.tracker.Close())
			}
		}
	}
}

// look analyses one frame. What cannot be looked at is counted and skipped.
func (c *Camera) look(f Frame) {
	m, err := c.motion(&f)
	switch {
	case errors.Is(err, ErrTooLarge):
		c.status.tooLarge.Add(1)
		return
	case err != nil:
		c.status.broken.Add(1)
		return
	}
	c.status.frames.Add(1)
	c.found(c.tracker.Observe(f, m))
}

// motion checks and decodes a frame and shows it to the detector.
func (c *Camera) motion(f *Frame) (Motion, error) {
	var err error
	if f.Width, f.Height, err = Inspect(f.JPEG); err != nil {
		return Motion{}, err
	}
	img, err := Decode(f.JPEG)
	if err != nil {
		return Motion{}, err
	}
	l := Shrink(img)
	if l == nil {
		return Motion{}, ErrBroken
	}
	return c.detector.Look(l), nil
}

func (c *Camera) found(e Event, ok bool) {
	if ok {
		c.status.events.Add(1)
		c.events.put(e)
	}
}
