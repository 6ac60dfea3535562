package faultsite

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"skerry/internal/faultfs"
)

const (
	// shortStall is a pause of a card that cleans up. The profile sdcard keeps its
	// leader through it.
	shortStall = 2 * time.Second
	// replacedIn is how soon a leader whose disk stalls for good has a successor.
	replacedIn = 15 * time.Second
)

// stall makes the fsyncs of the leader wait.
func stall(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: append([]string{"--profile", "sdcard"}, snapshotOften...)})
	if err != nil {
		return err
	}
	done, slowest := 0, time.Duration(0)
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, 500*time.Millisecond, time.Second)
		if err = t.stallShortly(ctx); err != nil {
			break
		}
		var took time.Duration
		if took, err = t.stallForGood(ctx); err == nil {
			slowest = max(slowest, took)
		}
	}
	return t.finish(ctx, err, fmt.Sprintf("%d stalls of %s, %d for good (a new leader within %s)", done, shortStall, done, slowest.Round(time.Millisecond)))
}

// stallShortly has the leader's fsyncs wait for 2 s once. It must lead on.
func (t *trial) stallShortly(ctx context.Context) error {
	leader, err := t.WaitLeader(ctx, startTimeout, nil)
	if err != nil {
		return violation("%v", err)
	}
	before, err := leader.Status(ctx)
	if err != nil {
		return err
	}
	lift := leader.Disk.Inject(faultfs.Fault{Op: faultfs.Sync, Stall: true})
	t.pause(ctx, shortStall, shortStall+time.Millisecond)
	lift()
	if err := t.recovered(ctx); err != nil {
		return err
	}
	after, err := leader.Status(ctx)
	if err != nil {
		return violation("the leader %s is gone after a stall of %s: %v", leader.Name, shortStall, err)
	}
	if after.Term != before.Term || after.Leader != leader.Name {
		return violation("%s led in term %d; after a stall of %s %s leads in term %d", leader.Name, before.Term, shortStall, after.Leader, after.Term)
	}
	return nil
}

// stallForGood has the leader's disk stall until another node leads.
func (t *trial) stallForGood(ctx context.Context) (time.Duration, error) {
	leader, err := t.WaitLeader(ctx, startTimeout, nil)
	if err != nil {
		return 0, violation("%v", err)
	}
	began := time.Now()
	lift := leader.Disk.Inject(faultfs.Fault{Op: faultfs.Sync | faultfs.Write, Stall: true})
	defer lift()
	successor, err := t.WaitLeader(ctx, 2*replacedIn, leader)
	took := time.Since(began)
	if err != nil || took > replacedIn {
		return took, violation("%s leads on with a disk that stalls for good (%s): %v", leader.Name, took.Round(time.Millisecond), err)
	}
	if err := t.load.waitAck(ctx, startTimeout); err != nil {
		return took, violation("%s leads, and takes nothing: %v", successor.Name, err)
	}
	lift() // lets the process end, that it may start again
	return took, t.recovered(ctx)
}

// failing has requests of one node's disk fail. Its process must end and start
// again with what was kept.
func failing(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: snapshotOften})
	if err != nil {
		return err
	}
	done, hits := 0, 0
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, 200*time.Millisecond, time.Second)
		n := t.some(ctx)[0]
		op := []faultfs.Op{faultfs.Sync, faultfs.Write, faultfs.Read, faultfs.Change}[t.Draw.IntN(4)]
		lift := n.Disk.Inject(faultfs.Fault{Op: op, Err: syscall.EIO, Times: 1 + t.Draw.IntN(3)})
		t.pause(ctx, 200*time.Millisecond, time.Second)
		hits += lift()
		if t.Draw.IntN(2) == 0 { // what an error has left must not matter to the next life
			err = t.Cut(t.spare(), n)
		}
		if err == nil {
			err = t.recovered(ctx)
		}
	}
	return t.finish(ctx, err, fmt.Sprintf("%d times errors of a disk, which hit %d requests", done, hits))
}
