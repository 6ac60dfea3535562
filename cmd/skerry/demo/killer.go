package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"skerry/cmd/skerry/site"
)

// A killed node is down for at least downLeast and less than downMost: long
// enough for the others to elect, short enough to see it come back.
const (
	downLeast = time.Second
	downMost  = 2 * time.Second
)

// killer kills the leader's process with SIGKILL again and again.
type killer struct {
	site    *site.Site
	every   time.Duration
	journal *journal
	kills   int // valid when run has returned
}

// run kills and restarts until ctx is done. When it returns every node's
// process runs, or it returns why one could not be started.
func (k *killer) run(ctx context.Context) error {
	if k.every <= 0 {
		return nil
	}
	ticker := time.NewTicker(k.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := k.kill(ctx); err != nil {
			return err
		}
	}
}

// kill kills the leader once and starts it again. It waits until all nodes are
// ready first, so that a majority stays; when ctx is done before, it does
// nothing.
func (k *killer) kill(ctx context.Context) error {
	for _, n := range k.site.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			return ignoreDone(ctx, err)
		}
	}
	leader, err := k.site.WaitLeader(ctx)
	if err != nil {
		return ignoreDone(ctx, err)
	}
	pid := leader.PID()
	if err := leader.Kill(); err != nil {
		return err
	}
	k.kills++
	k.journal.add(fmt.Sprintf("kill -9 %d: leader %s is dead", pid, leader.Name))
	pause(ctx, downLeast+rand.N(downMost-downLeast))
	if err := leader.Start(); err != nil {
		return err
	}
	k.journal.add(fmt.Sprintf("%s is started again", leader.Name))
	return nil
}

// ignoreDone is nil when err is only that ctx is done.
func ignoreDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pause returns after d or when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
