// Command conduct runs the fault laboratory in virtual time: many sites, each a
// process of its own, as many at once as there are cores, until the hours or the
// time are used up. It prints what was found and the line for the ledger.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"

	"skerry/internal/faultlab"
)

func main() {
	var c conductor
	flag.StringVar(&c.bin, "bin", "bin/faultlab.test", "the laboratory, as go test -c builds it")
	flag.Uint64Var(&c.seed, "seed", 0, "seed of the first site, the others follow; 0 draws one from the clock")
	flag.Float64Var(&c.hours, "hours", 0, "virtual hours in all; 0 is until time is over")
	flag.DurationVar(&c.limit, "time", 5*time.Minute, "no site is begun after so long")
	flag.Float64Var(&c.each, "each", 0, "virtual hours of each site; 0 is an hour, and a quarter of one with power cuts, whose load is heavy")
	flag.StringVar(&c.mode, "mode", string(faultlab.All), "all, powercuts or rot")
	flag.IntVar(&c.workers, "workers", runtime.NumCPU(), "sites at once")
	flag.StringVar(&c.out, "out", "bin/faults", "directory of traces")
	flag.StringVar(&c.commit, "commit", "unknown", "what is tested, for the ledger")
	flag.Parse()
	if c.each == 0 {
		c.each = 1
		if c.mode == string(faultlab.PowerCuts) {
			c.each = 0.25
		}
	}
	if c.seed == 0 {
		c.seed = uint64(time.Now().Unix())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// conductor is one run of many sites.
type conductor struct {
	bin, mode, out, commit string
	seed                   uint64
	hours, each            float64
	limit                  time.Duration
	workers                int

	mu    sync.Mutex // guards all below
	begun int        // sites
	total faultlab.Report
}

// run runs sites until the hours or the time are used up. Violations are an
// error.
func (c *conductor) run(ctx context.Context) error {
	if _, err := faultlab.ParseMode(c.mode); err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o750); err != nil {
		return err
	}
	fmt.Printf("seed %d, mode %s, %d sites at once\n", c.seed, c.mode, c.workers)
	start := time.Now()
	var wg sync.WaitGroup
	for range c.workers {
		wg.Go(func() {
			for ctx.Err() == nil && time.Since(start) < c.limit {
				seed, ok := c.next()
				if !ok {
					return
				}
				c.finished(c.site(ctx, seed), time.Since(start))
			}
		})
	}
	wg.Wait()
	c.total.Wall = time.Since(start)
	fmt.Printf("\n%s\n\n%s\n", c.total.String(), c.ledger(start))
	if n := len(c.total.Violations); n > 0 {
		return fmt.Errorf("%d violations", n)
	}
	return nil
}

// next is the seed of the next site, if the hours want one more.
func (c *conductor) next() (seed uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hours > 0 && float64(c.begun)*c.each >= c.hours {
		return 0, false
	}
	c.begun++
	return c.seed + uint64(c.begun) - 1, true
}

// finished takes a site's report.
func (c *conductor) finished(r faultlab.Report, at time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Add(r)
	fmt.Printf("%7s seed %d: %d nodes, %s, %.2f h in %s, %d faults, %d acknowledged; in all %.1f h, %d faults\n",
		at.Round(time.Second), r.Seed, r.Nodes, r.Profile, r.Virtual.Hours(), r.Wall.Round(100*time.Millisecond),
		r.FaultSum(), r.Counts["acknowledged"], c.total.Virtual.Hours(), c.total.FaultSum())
	for _, v := range r.Violations {
		fmt.Printf("VIOLATION seed %d: %s\n", r.Seed, v)
	}
	if len(r.Violations) > 0 {
		fmt.Printf("  again: make faults SEED=%d HOURS=%g MODE=%s; what happened is in %s\n", r.Seed, c.each, c.mode, r.Trace)
	}
}

// ledger is the run's line in docs/faults.md.
func (c *conductor) ledger(start time.Time) string {
	return fmt.Sprintf("| %s | %s | %s | %d to %d | %.1f | %d | %d | %d | %s |", start.UTC().Format("2006-01-02"), c.commit, c.mode,
		c.seed, c.seed+uint64(max(c.begun, 1))-1, c.total.Virtual.Hours(), c.total.FaultSum(), c.total.Counts["acknowledged"],
		len(c.total.Violations), c.total.Wall.Round(time.Second))
}
