package faultsite

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// some draws nodes: one, two, or all, and often the leader among them.
func (t *trial) some(ctx context.Context) []*Node {
	nodes := slices.Clone(t.Nodes)
	t.Draw.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	if leader := t.Leader(ctx); leader != nil && t.Draw.IntN(2) == 0 {
		i := slices.Index(nodes, leader)
		nodes[0], nodes[i] = nodes[i], nodes[0]
	}
	switch t.Draw.IntN(4) {
	case 0:
		return nodes[:2]
	case 1:
		return nodes
	}
	return nodes[:1]
}

// processes kills nodes and stops them where they stand.
func processes(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: snapshotOften})
	if err != nil {
		return err
	}
	done, kills, pauses := 0, 0, 0
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, 100*time.Millisecond, time.Second)
		nodes := t.some(ctx)
		if t.Draw.IntN(2) == 0 {
			kills += len(nodes)
			for _, n := range nodes {
				n.Kill()
			}
		} else {
			pauses += len(nodes)
			t.standStill(ctx, nodes)
		}
		err = t.recovered(ctx)
	}
	return t.finish(ctx, err, fmt.Sprintf("%d kills and %d pauses of processes", kills, pauses))
}

// standStill stops nodes for longer than an election takes, and lets them go on
// one after the other: what they had in hand comes late.
func (t *trial) standStill(ctx context.Context, nodes []*Node) {
	for _, n := range nodes {
		n.Pause()
	}
	t.pause(ctx, 300*time.Millisecond, 4*time.Second)
	for _, n := range nodes {
		n.Resume()
		t.pause(ctx, time.Millisecond, 500*time.Millisecond)
	}
}

// network cuts the network in two, or makes one side deaf, and heals it. The
// majority must go on where there is one that hears itself.
func network(ctx context.Context, p Plan) error {
	t, err := begin(ctx, p, Config{Args: snapshotOften})
	if err != nil {
		return err
	}
	done, deaf := 0, 0
	for ; err == nil && t.more(done); done++ {
		t.pause(ctx, 100*time.Millisecond, time.Second)
		one := t.some(ctx)[0]
		others := t.others(one)
		switch t.Draw.IntN(3) {
		case 0: // alone
			err = t.Partition([]*Node{one}, others, true)
		case 1: // hears nobody, and is heard
			deaf++
			err = t.Partition([]*Node{one}, others, false)
		case 2: // is heard by nobody, and hears
			deaf++
			err = t.Partition(others, []*Node{one}, false)
		}
		if err != nil {
			break
		}
		t.pause(ctx, 500*time.Millisecond, 5*time.Second)
		if t.Draw.IntN(3) == 0 { // what was going on when it heals
			one.Kill()
		}
		if err = t.Heal(); err == nil {
			err = t.recovered(ctx)
		}
	}
	return t.finish(ctx, err, fmt.Sprintf("%d partitions, %d of them one way", done, deaf))
}
