package faultfs

import (
	"slices"
	"strings"
	"syscall"
	"time"
)

// Op is a set of kinds of requests.
type Op uint8

const (
	Read   Op = 1 << iota
	Write     // also truncation and reservation of space
	Sync      // of files and directories
	Change    // creations, renames and removals
	Any    = Read | Write | Sync | Change
)

// Fault is what happens to some requests. The zero Err is success after the
// delay.
type Fault struct {
	Op    Op
	In    string        // a part of the path; "" is every file. Paths are from the root: "raft/log/1"
	Err   syscall.Errno // what they fail with, without having done anything
	Delay time.Duration // how long they wait before
	Stall bool          // they wait until the fault is lifted
	Times int           // how many requests it hits, 0 for all

	hits   int
	lifted chan struct{}
}

// Inject adds a fault and returns what lifts it and tells how many requests it
// has hit. Of the faults that fit a request it meets the newest alone.
func (d *Disk) Inject(f Fault) (lift func() (hits int)) {
	f.lifted = make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = slices.Insert(d.faults, 0, &f)
	return func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		if i := slices.Index(d.faults, &f); i >= 0 {
			d.faults = slices.Delete(d.faults, i, i+1)
			close(f.lifted)
		}
		return f.hits
	}
}

// begin lets a request wait or fail as it must. Where it returns 0 the caller
// holds mu and ends with d.mu.Unlock.
func (d *Disk) begin(op Op, id uint64, name string) syscall.Errno {
	d.mu.Lock()
	if f := d.fits(op, id, name); f != nil {
		f.hits++
		dead := d.dead
		d.mu.Unlock()
		f.wait(dead)
		if f.Err != 0 {
			return f.Err
		}
		d.mu.Lock()
	}
	for d.power == frozen {
		d.changed.Wait()
	}
	if d.power != on {
		d.mu.Unlock()
		return syscall.EIO
	}
	return 0
}

// wait returns when the request is to go on. A stall that ends by the power's
// end goes on into the answer that a dead disk gives.
func (f *Fault) wait(dead <-chan struct{}) {
	if !f.Stall && f.Delay == 0 {
		return
	}
	over := make(<-chan time.Time)
	if !f.Stall {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-over:
	case <-f.lifted:
	case <-dead:
	}
}

// fits returns the fault that a request meets, nil for none. mu is held.
func (d *Disk) fits(op Op, id uint64, name string) *Fault {
	for _, f := range d.faults {
		if f.Op&op == 0 || (f.Times > 0 && f.hits >= f.Times) {
			continue
		}
		if f.In == "" || strings.Contains(d.pathOf(id, name), f.In) {
			return f
		}
	}
	return nil
}

// pathOf searches the path of an inode, or of a name in it; "" where no name
// leads there. mu is held.
func (d *Disk) pathOf(id uint64, name string) string {
	var visit func(n *inode, at string) (string, bool)
	visit = func(n *inode, at string) (string, bool) {
		if n.id == id {
			return at + "/" + name, true
		}
		if n.dir != nil {
			for part, below := range n.dir.live {
				if found, ok := visit(below, at+"/"+part); ok {
					return found, true
				}
			}
		}
		return "", false
	}
	found, _ := visit(d.root, "")
	return strings.Trim(found, "/")
}

// LiftAll lifts every fault.
func (d *Disk) LiftAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.faults {
		close(f.lifted)
	}
	d.faults = nil
}
