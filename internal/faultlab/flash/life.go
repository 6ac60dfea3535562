package flash

import (
	"maps"
	"slices"
	"strings"
)

// Kill ends the present life as the end of a process does: all handles fail,
// and what was written stays, synced or not.
func (d *Disk) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
}

// end begins a new life. The caller holds mu.
func (d *Disk) end() {
	if !d.life.ended() {
		close(d.life.over)
	}
	d.life = &life{over: make(chan struct{})}
	d.faults.tripping = 0
	d.faults.failing = [kinds]failing{}
	if d.faults.gate != nil {
		close(d.faults.gate)
		d.faults.gate = nil
	}
	d.recount()
}

func (d *Disk) recount() {
	d.used = 0
	for _, n := range d.now {
		d.used += int64(len(n.data))
	}
}

// Cut ends the present life as a power cut does: of what was not synced, each
// block and each directory's last steps reached the flash or did not.
func (d *Disk) Cut(t Tear) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dir := range slices.Sorted(maps.Keys(d.journal)) {
		d.commit(dir, d.reached(len(d.journal[dir]), t))
	}
	d.journal = map[string][]change{}
	d.now = map[string]*inode{}
	torn := map[*inode]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.durable)) {
		n := d.durable[name]
		d.now[name] = n
		if !torn[n] {
			torn[n] = true
			n.tear(t, d.random)
		}
	}
	d.end()
}

// reached is how many of some steps in a directory a cut leaves.
func (d *Disk) reached(steps int, t Tear) int {
	switch {
	case t.Lost >= 1:
		return 0
	case t.Lost <= 0:
		return steps
	}
	return d.random.IntN(steps + 1)
}

// Wipe empties the disk, whose machine is down: a new card.
func (d *Disk) Wipe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now, d.durable, d.journal = map[string]*inode{}, map[string]*inode{}, map[string][]change{}
	d.end()
}

// Image is a copy of a disk whose machine is down.
type Image map[string][]byte

// Image copies all files.
func (d *Disk) Image() Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	im := Image{}
	for name, n := range d.now {
		im[name] = slices.Clone(n.data)
	}
	return im
}

// Put replaces all files by those of an image, durably: an old card is back.
func (d *Disk) Put(im Image) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now, d.durable, d.journal = map[string]*inode{}, map[string]*inode{}, map[string][]change{}
	for name, data := range im {
		n := &inode{data: slices.Clone(data)}
		d.now[name], d.durable[name] = n, n
	}
	d.end()
}

// Bytes are the sizes of all files with a prefix together.
func (d *Disk) Bytes(prefix string) (sum int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, n := range d.now {
		if strings.HasPrefix(name, prefix) {
			sum += int64(len(n.data))
		}
	}
	return sum
}
