package device

import (
	"context"
	"time"
)

// drainTime is how long a message under way may still wait for its answer when
// its sender stops.
const drainTime = 30 * time.Second

// Drain returns a context that ends 30 s after ctx does, or with cancel: under
// it the messages that are under way when a sender stops come to their answer.
func Drain(ctx context.Context) (draining context.Context, cancel context.CancelFunc) {
	draining, cut := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		late := time.AfterFunc(drainTime, cut)
		context.AfterFunc(draining, func() { late.Stop() })
	})
	return draining, func() {
		unwatch()
		cut()
	}
}
