package faultlab

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"skerry/cluster"
	"skerry/fsm"
)

// Bounds of what clients do.
const (
	retryWithin = 110 * time.Second // of the first try: keys are known for longer
	pageRows    = 2000
	maxItems    = 6
	maxRecords  = 4
)

// client is one program beside the site: it does one thing at a time, at
// whichever node it finds.
type client struct {
	s      *site
	name   string
	random *rand.Rand
	pause  time.Duration // between two operations, on average
	cursor fsm.Seq       // of its watching
	given  int           // how often it gave a lease back
}

// deed is an operation and how often it is done.
type deed struct {
	weight int
	do     func(c *client, ctx context.Context)
}

var deeds = []deed{
	{60, (*client).post},
	{3, (*client).postFrame},
	{20, (*client).watch},
	{8, (*client).readAll},
	{6, (*client).lease},
	{1, (*client).closeHead},
	{1, (*client).snapshot},
}

// run works until ctx is done.
func (c *client) run(ctx context.Context) {
	sum := 0
	for _, d := range deeds {
		sum += d.weight
	}
	for ctx.Err() == nil {
		sleep(ctx, time.Duration(c.random.ExpFloat64()*float64(c.pause)))
		left := c.random.IntN(sum)
		for _, d := range deeds {
			if left -= d.weight; left < 0 {
				d.do(c, ctx)
				break
			}
		}
	}
}

// key is a new key.
func (c *client) key() (k fsm.Key) {
	binary.LittleEndian.PutUint64(k[:], c.random.Uint64())
	binary.LittleEndian.PutUint64(k[8:], c.random.Uint64())
	return k
}

// idOf is the id that a reading of a client carries.
func idOf(x *fsm.Reading) uint64 {
	switch x.Value.Kind {
	case fsm.Number:
		return uint64(x.Value.Number)
	case fsm.Text:
		id, _ := strconv.ParseUint(x.Value.Text[:12], 10, 64) // 0 is nobody's
		return id
	}
	return 0
}

// record is the reading with an id.
func (c *client) record(id uint64) fsm.Record {
	r := fsm.Record{
		Device: fmt.Sprintf("d%d", c.random.IntN(20)), Resource: fmt.Sprintf("r%d", c.random.IntN(4)), Unit: pick(c.random, "", "Cel", "V"),
		Value: fsm.NumberValue(float64(id)),
	}
	if c.random.IntN(8) == 0 {
		r.Value = fsm.TextValue(fmt.Sprintf("%012d%*s", id, c.random.IntN(400), ""))
	}
	switch c.random.IntN(3) {
	case 0:
		r.Relative = true
	case 1:
		r.Relative, r.Time = true, -c.random.Int64N(60e6)
	default:
		r.Time = time.Now().UnixMicro() + c.random.Int64N(1e9)
	}
	return r
}

// post sends some messages as a gateway does, and again by their keys, at
// whichever node, until it has an answer or gives up.
func (c *client) post(ctx context.Context) {
	batch := &fsm.Batch{}
	var messages []*message
	for range 1 + c.random.IntN(maxItems) {
		m := c.s.truth.sends(1 + c.random.IntN(maxRecords))
		item := fsm.Item{Key: c.key()}
		for i := range m.n {
			item.Records = append(item.Records, c.record(m.first+uint64(i)))
		}
		batch.Items, messages = append(batch.Items, item), append(messages, m)
	}
	c.send(ctx, batch, func(r fsm.Result) {
		for i, o := range r.Outcomes {
			if o.Code != fsm.Stored {
				c.s.truth.violation("reading %d got code %d: %v", messages[i].first, o.Code, o.Code.Err())
				continue
			}
			c.s.truth.answered(messages[i], o.First)
		}
	}, func() {
		for _, m := range messages {
			c.s.truth.refuses(m)
		}
	})
}

// send proposes a command with keys until it has an answer or gives up.
func (c *client) send(ctx context.Context, cmd fsm.Command, stored func(fsm.Result), refused func()) {
	begun, doubt, tries := time.Now(), false, 0
	giveUp := retryWithin
	if c.random.IntN(10) == 0 {
		giveUp = 0
	}
	for {
		b, l := c.s.any(c.random)
		if l != nil {
			tries++
			result, err := c.propose(ctx, l, cmd)
			switch {
			case err == nil:
				c.s.counts.add("acknowledged")
				if tries > 1 {
					c.s.counts.add("acknowledged by a later try")
				}
				stored(result)
				return
			case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrOverloaded), errors.Is(err, cluster.ErrDiskFull), errors.Is(err, cluster.ErrClosed):
				if !doubt {
					c.s.counts.add("refused")
					refused()
					return
				}
			default:
				doubt = true
				c.s.counts.add("outcome unknown")
			}
			_ = b
		}
		sleep(ctx, within(c.random, 0, 30*time.Second))
		if ctx.Err() != nil || time.Since(begun) > giveUp {
			c.s.counts.add("given up")
			return
		}
	}
}

// propose is one try at one process. What a process says after its end is not
// heard.
func (c *client) propose(ctx context.Context, l *life, cmd fsm.Command) (fsm.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, within(c.random, time.Second, 70*time.Second))
	defer cancel()
	result, err := l.node.Propose(ctx, cmd)
	if l.dead.Load() {
		return fsm.Result{}, cluster.ErrUnknown
	}
	return result, err
}

// postFrame sends a camera's frame.
func (c *client) postFrame(ctx context.Context) {
	jpeg := make([]byte, 64+c.random.IntN(3000))
	for i := range jpeg {
		jpeg[i] = byte(c.random.Uint32())
	}
	sum := sha256.Sum256(jpeg)
	cmd := &fsm.FrameCommand{Key: c.key(), Device: fmt.Sprintf("cam%d", c.random.IntN(2)), Resource: "frame", Relative: true, Width: 8, Height: 8, JPEG: jpeg}
	c.send(ctx, cmd, func(r fsm.Result) {
		o := r.Outcomes[0]
		if o.Code != fsm.Stored {
			c.s.truth.violation("a frame got code %d: %v", o.Code, o.Code.Err())
			return
		}
		c.s.counts.add("frames")
		c.s.truth.frame("an answer", o.First, sum)
	}, func() {})
}

// watch reads on where it was, at any node, as the node has it.
func (c *client) watch(ctx context.Context) {
	b, l := c.s.any(c.random)
	if l == nil {
		return
	}
	view, err := l.node.View(ctx, cluster.Local)
	if err != nil {
		return
	}
	if c.random.IntN(20) == 0 {
		c.cursor = fsm.Seq(c.random.Uint64N(uint64(c.cursor) + 1))
	}
	page, err := view.After(ctx, c.cursor, pageRows)
	st := l.node.Status()
	if l.dead.Load() {
		return
	}
	c.s.truth.digest(b.name, st)
	if err != nil {
		return
	}
	c.s.counts.add("pages watched")
	c.s.truth.read(b.name, c.cursor, page)
	c.cursor += fsm.Seq(len(page))
}

// readAll asks for what was acknowledged.
func (c *client) readAll(ctx context.Context) {
	b, l := c.s.any(c.random)
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	floor := c.s.truth.floor()
	view, err := l.node.View(ctx, cluster.Linearizable)
	if err != nil {
		c.s.counts.add("reads refused")
		return
	}
	last := view.Last(fsm.Readings)
	if l.dead.Load() {
		return
	}
	c.s.counts.add("linearizable reads")
	if last < floor {
		c.s.truth.violation("a linearizable read at %s sees seq %d, and %d was acknowledged before it began", b.name, last, floor)
	}
}

// leaseFor is how long a lease is taken.
const leaseFor = 20 * time.Second

// lease takes one of a few, or gives it back.
func (c *client) lease(ctx context.Context) {
	_, l := c.s.any(c.random)
	if l == nil {
		return
	}
	name := fmt.Sprintf("l%d", c.random.IntN(2))
	holder := fmt.Sprintf("%s %d", c.name, c.given)
	cmd := fsm.LeaseCommand{Name: name, Holder: holder, Duration: leaseFor.Microseconds()}
	if c.random.IntN(4) == 0 {
		cmd.Duration = 0
		c.s.truth.gives(name, holder)
		c.given++ // the call may be read minutes later
	}
	asked := time.Now()
	r, err := c.propose(ctx, l, cmd)
	if err == nil && r.Outcomes[0].Code == fsm.Stored && cmd.Duration > 0 {
		c.s.counts.add("leases")
		c.s.truth.holds(name, holder, asked.Add(leaseFor))
	}
}

// closeHead cuts what is open.
func (c *client) closeHead(ctx context.Context) {
	if _, l := c.s.any(c.random); l != nil {
		if _, err := c.propose(ctx, l, fsm.CutCommand{}); err == nil {
			c.s.counts.add("cuts")
		}
	}
}

// snapshot has a node write one and drop its log.
func (c *client) snapshot(context.Context) {
	if b, l := c.s.any(c.random); l != nil {
		err := l.node.Snapshot()
		c.s.trace.add(b.name, "snapshot: %v", err)
		if err == nil {
			c.s.counts.add("snapshots")
		}
	}
}
