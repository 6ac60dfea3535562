package device

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// How a courier repeats.
const (
	tryTimeout = 3 * time.Second // then the next gateway is asked
	minPause   = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// ErrRefused: a gateway answered that the message will not be stored.
var ErrRefused = errors.New("message was refused")

// Courier delivers messages under an identity of their own, over and over,
// gateway after gateway, until one answers for good. It may be used by many
// goroutines.
type Courier struct {
	gateways []Sender
	ledger   *Ledger
	run      string // tells this courier's identities from those of earlier ones
	serial   atomic.Uint64
	tries    atomic.Int64
}

// NewCourier makes a courier. run must differ between couriers of one site, and
// have at most 40 bytes; identities are run-1, run-2 and so on.
func NewCourier(run string, ledger *Ledger, gateways ...Sender) (*Courier, error) {
	if len(gateways) == 0 {
		return nil, errors.New("a courier needs a gateway")
	}
	if run == "" || len(run) > 40 {
		return nil, fmt.Errorf("name of run %q must have 1 to 40 bytes", run)
	}
	return &Courier{gateways: gateways, ledger: ledger, run: run}, nil
}

// Tries is the number of posts made, repetitions included.
func (c *Courier) Tries() int64 { return c.tries.Load() }

// Delivery is a message that was written down in the ledger. It belongs to one
// goroutine.
type Delivery struct {
	courier *Courier
	entry   *Entry
	message Message
	gateway int // to be asked next
}

// Prepare writes a message that holds the readings down and gives it its
// identity. home is the gateway that is asked first, by any number. It fails
// with ErrLedgerFull.
func (c *Courier) Prepare(m Message, readings []Reading, home int) (*Delivery, error) {
	id := fmt.Sprintf("%s-%d", c.run, c.serial.Add(1))
	e, err := c.ledger.Open(id, readings)
	if err != nil {
		return nil, err
	}
	m.Query = append(m.Query[:len(m.Query):len(m.Query)], "id="+id)
	return &Delivery{courier: c, entry: e, message: m, gateway: home}, nil
}

// Deliver posts until there is an answer. It fails with ErrRefused, or with
// ctx's error when none came, and the outcome stays unknown.
func (d *Delivery) Deliver(ctx context.Context) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		code, err := d.post(ctx)
		switch {
		case err != nil || !code.final():
		case code.done():
			return nil
		default:
			return fmt.Errorf("%w: %s", ErrRefused, code)
		}
		d.gateway++
		t := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// Repeat posts one copy more to the next gateway, as a device does whose answer
// got lost, and returns what is answered.
func (d *Delivery) Repeat(ctx context.Context) (Code, error) {
	d.gateway++
	return d.post(ctx)
}

// post sends one copy and writes down what is answered.
func (d *Delivery) post(ctx context.Context) (Code, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	d.courier.tries.Add(1)
	code, err := d.courier.gateways[d.gateway%len(d.courier.gateways)].Post(ctx, d.message)
	if err != nil {
		return 0, err
	}
	switch {
	case code.done():
		d.entry.Settle(Acked)
	case code.final():
		d.entry.Settle(Refused)
	}
	return code, nil
}
