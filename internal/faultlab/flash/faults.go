package flash

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"
)

// Kind is what is done to a disk.
type Kind uint8

const (
	Read Kind = iota
	Write
	Sync
	kinds = iota
)

func (k Kind) String() string { return [...]string{"read", "write", "sync"}[k] }

// ErrOver is what every call of a life that has ended gets.
var ErrOver = errors.New("the power was cut")

// faults are what a disk does wrong now.
type faults struct {
	capacity int64 // bytes
	// failing are the calls of a kind that fail yet, and where.
	failing [kinds]failing
	// tripping is how many calls are left until the machine's end, 0 for never.
	tripping int
	tripped  func()
	takes    func(name string) time.Duration // of a sync; nil for no time
	gate     chan struct{}                   // syncs wait until it is closed
	lie      func(name string) bool
}

type failing struct {
	calls  int
	prefix string
}

func newFaults() faults { return faults{capacity: math.MaxInt64 / 2} }

func (f *faults) lies(name string) bool { return f.lie != nil && f.lie(name) }

// enter is called before each step of a life, the present one if nil. It takes
// the time that the step takes, and returns the error that it meets.
func (d *Disk) enter(l *life, k Kind, name string) (*life, error) {
	d.mu.Lock()
	if l == nil {
		l = d.life
	}
	if l.ended() {
		d.mu.Unlock()
		return l, ErrOver
	}
	if k != Read && l == d.life && d.faults.tripping > 0 {
		if d.faults.tripping--; d.faults.tripping == 0 {
			close(l.over)
			tripped := d.faults.tripped
			d.mu.Unlock()
			tripped()
			return l, ErrOver
		}
	}
	var gate chan struct{}
	var takes time.Duration
	if k == Sync {
		gate = d.faults.gate
		if d.faults.takes != nil {
			takes = d.faults.takes(name)
		}
	}
	err := d.faults.fail(k, name)
	d.mu.Unlock()
	return l, errors.Join(l.wait(gate, takes), err)
}

// fail is the error that a call is to have.
func (f *faults) fail(k Kind, name string) error {
	left := &f.failing[k]
	if left.calls == 0 || !strings.HasPrefix(name, left.prefix) {
		return nil
	}
	left.calls--
	return fmt.Errorf("%s %s: %w", k, name, syscall.EIO)
}

func (l *life) ended() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// wait takes time, and ends with the life.
func (l *life) wait(gate chan struct{}, takes time.Duration) error {
	if gate != nil {
		select {
		case <-gate:
		case <-l.over:
		}
	}
	if takes > 0 {
		timer := time.NewTimer(takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.over:
		}
	}
	if l.ended() {
		return ErrOver
	}
	return nil
}

// Slow has syncs, of files and directories, take what takes says of each. takes draws
// under the disk's lock.
func (d *Disk) Slow(takes func(name string) time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.takes = takes
}

// Stall has syncs, of files and directories, wait until resume is called.
func (d *Disk) Stall() (resume func()) {
	gate := make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults.gate != nil { // one stall at a time
		return func() {}
	}
	d.faults.gate = gate
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.faults.gate == gate {
			d.faults.gate = nil
			close(gate)
		}
	}
}

// Fail has the next calls of a kind on files with a prefix fail with EIO.
func (d *Disk) Fail(k Kind, calls int, prefix string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.failing[k] = failing{calls, prefix}
}

// Capacity is from now on so many bytes beyond what is used; negative is as
// much as one wants.
func (d *Disk) Capacity(free int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.capacity = newFaults().capacity
	if free >= 0 {
		d.faults.capacity = d.used + free
	}
}

// Lie has syncs of the files that of names make nothing durable.
func (d *Disk) Lie(of func(name string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.lie = of
}

// Trip ends the life at the calls-th write or sync from now, which does not
// happen, and calls tripped once from there.
func (d *Disk) Trip(calls int, tripped func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults.tripping, d.faults.tripped = calls, tripped
}

// Heal ends all faults of the disk; what is torn stays torn.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	takes, lie := d.faults.takes, d.faults.lie
	if d.faults.gate != nil {
		close(d.faults.gate)
	}
	d.faults = newFaults()
	d.faults.takes, d.faults.lie = takes, lie
}
