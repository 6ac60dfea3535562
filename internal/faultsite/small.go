package faultsite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// smallMemory is what the smallest gateways have, smallRate a slow card's
	// bytes a second.
	smallMemory = 512 << 20
	smallRate   = 4 << 20
)

// full fills the disks of one node, of two, of all, and of a node that is down
// and comes back, and takes what fills them away. While a majority has space the
// site must go on; all nodes must answer reads throughout; nothing may be lost.
func full(ctx context.Context, p Plan) error {
	var disks loops
	t, err := begin(ctx, p, Config{Folder: disks.folders(p.Dir, loopBytes), Args: snapshotOften})
	if err != nil {
		return errors.Join(err, disks.close())
	}
	done, goesOn := 0, 0
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, 200*time.Millisecond, time.Second)
		many, returning := 1+done%4, false
		if many == 4 {
			many, returning = 1, true
		}
		var on bool
		on, err = t.fillSome(ctx, disks, many, returning)
		if on {
			goesOn++
		}
	}
	err = t.finish(ctx, err, fmt.Sprintf("%d times full disks, through which the site took readings %d times", done, goesOn))
	return errors.Join(err, disks.close())
}

// fillSome fills the disks of some nodes for a while.
func (t *trial) fillSome(ctx context.Context, disks loops, many int, returning bool) (goesOn bool, err error) {
	order := t.Draw.Perm(len(t.Nodes))[:many]
	if returning {
		n := t.Nodes[order[0]]
		n.Down()
		n.Gone()
		t.pause(ctx, time.Second, 3*time.Second)
	}
	for _, i := range order {
		if err := disks[i].fill(int64(t.Draw.IntN(64)) << 10); err != nil {
			return false, err
		}
		if err := t.Nodes[i].Start(); err != nil {
			return false, err
		}
	}
	t.pause(ctx, 3*time.Second, 8*time.Second)
	goesOn = t.load.waitAck(ctx, 10*time.Second) == nil
	if !goesOn && many < 2 {
		err = violation("with %d full disk of %d the site takes nothing", many, len(t.Nodes))
	}
	for _, i := range order {
		err = errors.Join(err, disks[i].relieve())
	}
	if err == nil {
		err = t.recovered(ctx)
	}
	return goesOn, err
}

// small runs the nodes with 512 MB of memory and a slow disk, and kills and stops
// them.
func small(ctx context.Context, p Plan) (err error) {
	var disks loops
	var groups []*cgroups
	defer func() {
		for _, g := range groups {
			err = errors.Join(err, g.close())
		}
		err = errors.Join(err, disks.close())
	}()
	folder := disks.folders(p.Dir, loopBytes)
	cfg := Config{Folder: folder, Args: append([]string{"--profile", "sdcard"}, snapshotOften...)}
	cfg.Groups = func(i int) ([]string, error) {
		device, err := disks[i].device()
		if err != nil {
			return nil, err
		}
		g, err := limited(fmt.Sprintf("faultsite-%d-%d", os.Getpid(), i), smallMemory, smallRate, device)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
		return g.dirs, nil
	}
	t, err := begin(ctx, p, cfg)
	if err != nil {
		return err
	}
	done := 0
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, time.Second, 4*time.Second)
		for _, n := range t.some(ctx) {
			n.Kill()
		}
		err = t.recovered(ctx)
	}
	killed, highest := 0, ""
	for _, g := range groups {
		killed += g.killed()
		highest += " " + g.highest()
	}
	if killed > 0 {
		err = errors.Join(err, violation("the kernel killed %d processes for want of memory", killed))
	}
	return t.finish(ctx, err, fmt.Sprintf("%d kills in %d MiB and %d MiB/s, at most%s bytes", done, smallMemory>>20, smallRate>>20, highest))
}
