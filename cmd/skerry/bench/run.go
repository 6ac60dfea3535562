package bench

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// Bounds of a run.
const (
	MaxClients       = 20_000
	MinRate          = 0.01
	MaxRate          = 1_000_000
	clientsPerWorker = 512
)

// Config says what load to make.
type Config struct {
	To       []netip.AddrPort // CoAP addresses; clients are dealt out to them in turn
	Clients  int              // 1 to MaxClients
	Pack     int              // readings in a message: 0 is one as plain text, else a SenML CBOR pack, at most MaxPack
	Rate     float64          // messages a second of all clients together; 0 is as fast as they are answered
	Warmup   time.Duration    // of load before anything counts
	Duration time.Duration    // of load that counts
	Pids     []int            // processes whose use is measured; may be empty
	Dir      string           // a directory on the disk whose writes are measured; may be empty
	Seed     uint64           // of the values
	Trace    bool             // keep each answer in Result.Trace, 16 bytes each
}

func (cfg *Config) validate() error {
	switch {
	case len(cfg.To) == 0:
		return fmt.Errorf("no address to send to")
	case cfg.Clients < 1 || cfg.Clients > MaxClients:
		return fmt.Errorf("%d clients are out of range: 1 to %d", cfg.Clients, MaxClients)
	case cfg.Pack < 0 || cfg.Pack > MaxPack:
		return fmt.Errorf("packs of %d readings are out of range: 1 to %d", cfg.Pack, MaxPack)
	case cfg.Rate < 0 || cfg.Rate > MaxRate || (cfg.Rate > 0 && cfg.Rate < MinRate):
		return fmt.Errorf("a rate of %g messages a second is out of range: %g to %d", cfg.Rate, MinRate, MaxRate)
	case cfg.Duration <= 0:
		return fmt.Errorf("duration %s is not positive", cfg.Duration)
	}
	return nil
}

// Run makes the load and measures it. It returns early, with what it has, when
// ctx is done.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if err := cfg.validate(); err != nil {
		return Result{}, err
	}
	workers, err := openWorkers(cfg)
	for _, w := range workers {
		defer w.close()
	}
	if err != nil {
		return Result{}, err
	}
	var before, after Usage
	start := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for _, w := range workers {
		g.Go(func() error { return w.run(start, gctx.Done()) })
	}
	g.Go(func() (err error) {
		wait(gctx, time.Until(start.Add(cfg.Warmup)))
		if before, err = Measure(cfg.Pids, cfg.Dir); err != nil {
			return err
		}
		wait(gctx, time.Until(start.Add(cfg.Warmup+cfg.Duration)))
		after, err = Measure(cfg.Pids, cfg.Dir)
		return err
	})
	if err := g.Wait(); err != nil {
		return Result{}, err
	}
	span := min(time.Since(start)-cfg.Warmup, cfg.Duration)
	result := sum(cfg, workers, span, after.Sub(before))
	result.Began = start
	return result, nil
}

// openWorkers deals the clients out. On an error it returns the workers it has
// opened, for the caller to close.
func openWorkers(cfg Config) ([]*worker, error) {
	n := min(runtime.GOMAXPROCS(0), (cfg.Clients+clientsPerWorker-1)/clientsPerWorker)
	workers := make([]*worker, 0, n)
	for i := range n {
		first, end := cfg.Clients*i/n, cfg.Clients*(i+1)/n
		w, err := newWorker(cfg.To, first, end-first, cfg.Pack, cfg.Seed)
		if err != nil {
			return workers, err
		}
		if cfg.Rate > 0 {
			w.pace(time.Duration(float64(cfg.Clients) / cfg.Rate * float64(time.Second)))
		}
		w.from, w.to, w.trace = cfg.Warmup, cfg.Warmup+cfg.Duration, cfg.Trace
		workers = append(workers, w)
	}
	return workers, nil
}

// wait returns after d or when ctx is done.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
