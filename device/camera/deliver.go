package camera

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// MaxWaiting bounds the events that wait for the site, at most 1 MiB each. When
// one more comes, the oldest is dropped and counted.
const MaxWaiting = 8

// How long an event waits between tries.
const (
	minRetry = 200 * time.Millisecond
	maxRetry = 5 * time.Second
)

// repeatFor bounds the repetitions of a command of which a copy was sent
// without an answer: the site keeps a key for 120 s at least, and a copy that
// came later would be stored a second time.
const repeatFor = 110 * time.Second

// Proposer gives a command to the site; a *cluster.Node is one.
type Proposer interface {
	Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error)
}

// deliverer stores events one after the other, each until the site has it.
type deliverer struct {
	config   *Config
	proposer Proposer
	status   *status
	log      *slog.Logger
	waiting  chan Event
}

func newDeliverer(c *Config, p Proposer, st *status) *deliverer {
	return &deliverer{
		config: c, proposer: p, status: st, log: c.Log.With("device", c.Name),
		waiting: make(chan Event, MaxWaiting),
	}
}

// put queues an event and never blocks. Only one goroutine puts.
func (d *deliverer) put(e Event) {
	for {
		select {
		case d.waiting <- e:
			return
		default:
		}
		select {
		case <-d.waiting:
			d.status.dropped.Add(1)
		default:
		}
	}
}

// close lets run return after the events that wait now.
func (d *deliverer) close() { close(d.waiting) }

// run stores events until close or until ctx is done.
func (d *deliverer) run(ctx context.Context) {
	for e := range d.waiting {
		if err := d.store(ctx, e); err != nil {
			if ctx.Err() != nil {
				return
			}
			d.log.Warn("motion event was not stored", "err", err)
		} else {
			d.status.stored.Add(1)
		}
	}
}

// store proposes an event's frame, then its reading.
func (d *deliverer) store(ctx context.Context, e Event) error {
	at := e.Key.Time.UnixMicro()
	key, err := d.key(ctx, "frame", at, e.Key.JPEG)
	if err != nil {
		return err
	}
	frame := fsm.FrameCommand{
		Key: key, Device: d.config.Name, Resource: d.config.FrameResource, Time: at,
		Width: uint32(e.Key.Width), Height: uint32(e.Key.Height), JPEG: e.Key.JPEG,
	}
	if err := d.until(ctx, &frame); err != nil {
		return err
	}
	area := math.Round(e.Area*100) / 100
	key, err = d.key(ctx, "motion", at, binary.LittleEndian.AppendUint64(nil, math.Float64bits(area)))
	if err != nil {
		return err
	}
	items := []fsm.Item{{Key: key, Records: []fsm.Record{{
		Device: d.config.Name, Resource: d.config.MotionResource, Unit: "%", Time: at, Value: fsm.NumberValue(area),
	}}}}
	return d.until(ctx, &fsm.Batch{Items: items})
}

// key makes the key of a part of an event, waiting for the site's secret.
func (d *deliverer) key(ctx context.Context, part string, at int64, content []byte) (key fsm.Key, err error) {
	err = again(ctx, func() (bool, error) {
		key, err = d.config.Key([]byte("camera"), []byte(part), []byte(d.config.Name),
			[]byte(d.config.FrameResource), binary.LittleEndian.AppendUint64(nil, uint64(at)), content)
		return err == nil, nil
	})
	return key, err
}

// until proposes a command until the site has it for certain, or cannot have
// it, or the time is over in which the site recognises a repetition.
func (d *deliverer) until(ctx context.Context, cmd fsm.Command) error {
	var doubt time.Time // when the first try of unknown outcome began
	return again(ctx, func() (bool, error) {
		began := time.Now()
		if !doubt.IsZero() {
			if began.Sub(doubt) >= repeatFor {
				d.status.unresolved.Add(1)
				return false, cluster.ErrUnknown
			}
			began = doubt
		}
		try, cancel := context.WithDeadline(ctx, began.Add(repeatFor))
		defer cancel()
		res, err := d.proposer.Propose(try, cmd)
		switch {
		case errors.Is(err, cluster.ErrUnknown):
			doubt = began
			return false, nil
		case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrOverloaded), errors.Is(err, cluster.ErrDiskFull):
			return false, nil
		case err != nil:
			return false, err
		case len(res.Outcomes) != 1:
			return false, errors.New("the site gave no outcome")
		}
		switch code := res.Outcomes[0].Code; code {
		case fsm.Stored:
			return true, nil
		case fsm.Expired, fsm.WindowFull, fsm.NoGenesis: // this copy stored nothing
			return false, nil
		default:
			d.status.refused.Add(1)
			return false, code.Err()
		}
	})
}

// again calls try until it is done or fails, with growing jittered pauses.
func again(ctx context.Context, try func() (done bool, err error)) error {
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		if done, err := try(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}
