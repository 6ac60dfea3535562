package coap

import (
	"net/netip"
	"time"

	"skerry/fsm"
)

// Single reads a body with one value.
func Single(format uint32, body []byte) (fsm.Record, error) { return single(format, body) }

// Fate and Decided let a test move the clock of what is remembered.
type Fate = fate

const (
	WasRefused = wasRefused
	WasStored  = wasStored
	WasUnknown = wasUnknown
	MaxDecided = maxDecided
)

type Decided struct{ decided }

func (d *Decided) Put(k byte, f Fate, at time.Time) { d.put([16]byte{k}, f, 0, at) }

func (d *Decided) PutMany(n int, at time.Time) {
	for i := range n {
		d.put([16]byte{1, byte(i), byte(i >> 8), byte(i >> 16)}, wasStored, 0, at)
	}
}

func (d *Decided) Get(k byte, at time.Time) Fate {
	f, _ := d.get([16]byte{k}, at)
	return f
}

func (d *Decided) Len() (n int) {
	for i := range d.stored.slots {
		for j := range d.stored.slots[i] {
			if d.stored.slots[i][j].at != 0 {
				n++
			}
		}
	}
	return n
}

// Challenges let a test move the clock of Echo values.
type Challenges struct{ challenges }

func (c *Challenges) Echo(from netip.AddrPort, at time.Time) []byte { return c.echo(from, at) }

func (c *Challenges) Takes(value []byte, from netip.AddrPort, at time.Time) bool {
	return c.takes(value, from, at)
}
