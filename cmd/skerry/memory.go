package main

import (
	"context"
	"math"
	"runtime/debug"
	rtmetrics "runtime/metrics"
	"time"

	"skerry/cluster"
)

// On small gateways the heap must not grow to twice of what is in use before it
// is collected, as it does by default. A limit that what is in use comes close
// to would have the node collect all the time, so it goes up with that.
const (
	smallMemory   = 96 << 20 // of Go, with profile sdcard, bytes
	memoryBeside  = 12 << 20 // stacks and the collector's own
	memoryLook    = 5 * time.Second
	heapInUse     = "/gc/heap/live:bytes"
	smallProfile  = "sdcard"
	memoryPercent = 125 // of what is in use
)

// mindMemory keeps the limit until ctx is done. One that the operator set
// (GOMEMLIMIT) stays. While the node replays its log nothing is limited: the
// heap then holds more for a moment, and the start would take twice as long.
func mindMemory(ctx context.Context, profile string, n *cluster.Node) {
	if profile != smallProfile || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return
	}
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	sample := []rtmetrics.Sample{{Name: heapInUse}}
	for replayed := false; ; {
		replayed = replayed || n.Status().Ready
		rtmetrics.Read(sample)
		if v := sample[0].Value; replayed && v.Kind() == rtmetrics.KindUint64 {
			debug.SetMemoryLimit(max(smallMemory, int64(v.Uint64())*memoryPercent/100+memoryBeside))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
