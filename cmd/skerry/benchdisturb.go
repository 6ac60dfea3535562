package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"skerry/cluster"
	"skerry/cmd/skerry/bench"
	"skerry/cmd/skerry/site"
)

const (
	disturbSeries   = 1000
	disturbHistory  = 4_000_000 // readings there are before
	disturbHead     = 400_000   // readings that a cut closes
	disturbSmall    = 50_000    // readings in each of the files that are merged
	disturbFiles    = 9         // so many; the first may join larger ones
	disturbLog      = 16 << 20  // bytes of log between two snapshots
	disturbQuiet    = 5 * time.Second
	disturbSettle   = 2 * time.Second // after what prepares, before what is measured
	disturbAfter    = time.Second     // that a cut's and a snapshot's writing goes on
	disturbPoll     = 20 * time.Millisecond
	disturbPatience = 3 * time.Minute // for what was provoked to come
	// mergeTook is taken for the time of a merge whose end was seen.
	mergeTook = time.Second
)

func benchDisturbCommand() *cli.Command {
	return &cli.Command{
		Name:  "disturb",
		Usage: "compare acknowledgements with and without work in the background",
		Description: "A site of its own takes readings at a steady rate. In turn it is left alone, and provoked to\n" +
			"close 400,000 readings, to write a snapshot on all nodes, to merge files, and to bring a node that\n" +
			"lost it the whole history. What only prepares that does not count.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "clients", Value: 64, Usage: "how many clients, `N`"},
			&cli.Float64Flag{Name: "rate", Value: 2000, Usage: "`N` messages a second of all clients together"},
			&cli.IntFlag{Name: "rounds", Value: 3, Usage: "how often, `N`, each comes"},
			&cli.StringFlag{Name: "profile", Value: "ssd", Usage: "`PROFILE` of the nodes"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for the site, kept afterwards (default: a temporary one)"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the values (default: random)"},
		},
		Action: benchDisturb,
	}
}

// disturbance is what acknowledgements took while something went on.
type disturbance struct {
	What      string  `json:"what"`
	Seconds   float64 `json:"seconds"`
	Answers   uint64  `json:"answers"`
	P50Millis float64 `json:"p50_ms"`
	P99Millis float64 `json:"p99_ms"`
	Ratio     float64 `json:"p99_ratio"` // to that of nothing going on
}

// window is a time that counts for one of the disturbances.
type window struct {
	what     string
	from, to time.Time
}

// disturber provokes work at a site and notes when.
type disturber struct {
	s       *site.Site
	dir     string
	fill    bench.Fill
	windows []window
}

func benchDisturb(c *cli.Context) (err error) {
	if _, err := operands(c); err != nil {
		return err
	}
	if _, err := wantsJSON(c); err != nil {
		return err
	}
	dir, remove, err := workDir(c.String("dir"))
	if err != nil {
		return err
	}
	defer func() { remove(err) }()
	s, err := site.Start(c.Context, site.Config{
		Dir: dir, Nodes: 3, Site: "bench", Cloud: "file://" + filepath.Join(dir, "bucket"),
		Args: []string{"--profile", c.String("profile"), "--snapshot-after", fmt.Sprint(disturbLog)},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	leader, err := s.WaitLeader(c.Context)
	if err != nil {
		return err
	}
	seed := c.Uint64("seed")
	if !c.IsSet("seed") {
		seed = rand.Uint64()
	}
	d := &disturber{s: s, dir: dir, fill: bench.Fill{HTTP: []string{leader.Addresses.HTTP}, Series: disturbSeries, Seed: seed}}
	if err := d.store(c.Context, disturbHistory); err != nil {
		return err
	}
	to, err := netip.ParseAddrPort(leader.Addresses.CoAP)
	if err != nil {
		return err
	}
	result, err := d.underLoad(c.Context, c.Int("rounds"), bench.Config{
		To: []netip.AddrPort{to}, Clients: c.Int("clients"), Rate: c.Float64("rate"),
		Warmup: time.Second, Duration: time.Hour, Seed: seed, Trace: true,
	})
	if err != nil {
		return err
	}
	rows := d.sum(&result)
	return show(c, rows, func(t *table) {
		for _, r := range rows {
			t.row(r.What, fmt.Sprintf("p50 %.2f ms, p99 %.2f ms (%.2f times), %d answers in %.1f s", r.P50Millis, r.P99Millis, r.Ratio, r.Answers, r.Seconds))
		}
	})
}

// underLoad goes through all disturbances while there is load.
func (d *disturber) underLoad(ctx context.Context, rounds int, cfg bench.Config) (result bench.Result, err error) {
	load, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error {
		var err error
		result, err = bench.Run(load, cfg)
		return err
	})
	g.Go(func() error {
		defer stop()
		for range rounds {
			for _, do := range []func(context.Context) error{d.cut, d.snapshot, d.merge, d.transfer} {
				if err := errors.Join(pauseFor(ctx, disturbSettle), d.during(ctx, "nothing", func() error { return pauseFor(ctx, disturbQuiet) }), do(ctx)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return result, g.Wait()
}

// during notes that something goes on while f runs.
func (d *disturber) during(ctx context.Context, what string, f func() error) error {
	from := time.Now()
	if err := f(); err != nil {
		return err
	}
	d.windows = append(d.windows, window{what, from, time.Now()})
	return ctx.Err()
}

func (d *disturber) store(ctx context.Context, readings int64) (err error) {
	d.fill.Readings = d.fill.From + readings
	d.fill.From, err = d.fill.Run(ctx)
	return err
}

func (d *disturber) cut(ctx context.Context) error {
	if err := errors.Join(d.store(ctx, disturbHead), pauseFor(ctx, disturbSettle)); err != nil {
		return err
	}
	return d.during(ctx, "a cut", func() error {
		_, err := d.s.Nodes[0].Client().Sync(ctx)
		return errors.Join(err, pauseFor(ctx, disturbAfter))
	})
}

// snapshot brings the log close to its bound; the load does the rest.
func (d *disturber) snapshot(ctx context.Context) error {
	const close = disturbLog - 256<<10
	logs := func() (least, most int64) {
		least = disturbLog
		for _, st := range d.statuses(ctx) {
			least, most = min(least, st.LogBytes), max(most, st.LogBytes)
		}
		return least, most
	}
	fill := d.fill
	fill.Readings = 1 << 62
	fill.Until = func() bool { _, most := logs(); return most >= close-1<<20 }
	for {
		var err error
		if d.fill.From, err = fill.Run(ctx); err != nil {
			return err
		}
		if _, most := logs(); most < close {
			break
		}
		fill.From = d.fill.From
		if err := pauseFor(ctx, disturbSettle); err != nil { // it was passed: once more
			return err
		}
	}
	// One of them begins, then all have.
	if err := await(ctx, func() bool { least, _ := logs(); return least < 1<<20 }); err != nil {
		return err
	}
	return d.during(ctx, "a snapshot", func() error {
		err := await(ctx, func() bool { _, most := logs(); return most < 4<<20 })
		return errors.Join(err, pauseFor(ctx, disturbAfter))
	})
}

// merge has small files in the bucket, which the nodes then merge.
func (d *disturber) merge(ctx context.Context) error {
	ship := func(readings int64) error {
		if err := d.store(ctx, readings); err != nil {
			return err
		}
		_, err := d.s.Nodes[0].Client().Sync(ctx)
		return err
	}
	before := d.merged(ctx)
	for range disturbFiles {
		if err := ship(disturbSmall); err != nil {
			return err
		}
	}
	// What was shipped last is noticed with the next file: a tiny one.
	if err := errors.Join(pauseFor(ctx, disturbSettle), ship(1)); err != nil {
		return err
	}
	seen := map[string]bool{}
	return await(ctx, func() bool {
		for name, n := range d.merged(ctx) {
			if n > before[name] && !seen[name] {
				seen[name] = true
				d.windows = append(d.windows, window{"a merge", time.Now().Add(-mergeTook), time.Now()})
			}
		}
		return len(seen) == len(d.s.Nodes)
	})
}

func (d *disturber) merged(ctx context.Context) map[string]uint64 {
	files := map[string]uint64{}
	for name, st := range d.statuses(ctx) {
		files[name] = st.Scrub.Merged
	}
	return files
}

// transfer takes a follower's files of history, which it then gets from others.
func (d *disturber) transfer(ctx context.Context) error {
	node := d.s.Nodes[len(d.s.Nodes)-1]
	if leader := d.s.Leader(ctx); leader == node {
		node = d.s.Nodes[0]
	}
	if err := errors.Join(node.Kill(), os.RemoveAll(filepath.Join(node.Dir, "segments", "readings")), node.Start()); err != nil {
		return err
	}
	status := func() cluster.Status { return d.statuses(ctx)[node.Name] }
	// It takes part again before that counts: two of three are another site.
	if err := await(ctx, func() bool { st := status(); return st.Ready && st.State == "follower" && st.Missing > 0 }); err != nil {
		return err
	}
	return d.during(ctx, "a transfer", func() error {
		return await(ctx, func() bool { return status().Missing == 0 })
	})
}

// statuses are those of the nodes that answer.
func (d *disturber) statuses(ctx context.Context) map[string]cluster.Status {
	all := map[string]cluster.Status{}
	for _, n := range d.s.Nodes {
		if st, err := n.Client().Status(ctx); err == nil {
			all[n.Name] = st
		}
	}
	return all
}

// sum sorts the answers by what went on when they came.
func (d *disturber) sum(r *bench.Result) []disturbance {
	var rows []disturbance
	for _, what := range []string{"nothing", "a cut", "a snapshot", "a merge", "a transfer"} {
		row := disturbance{What: what}
		var took bench.Histogram
		for _, w := range d.windows {
			if w.what == what {
				row.Seconds += w.to.Sub(w.from).Seconds()
			}
		}
		for _, a := range r.Trace {
			if d.inside(what, r.Began.Add(a.At)) {
				took.Record(a.Took)
			}
		}
		row.Answers = took.Count()
		row.P50Millis = float64(took.Quantile(0.5)) / float64(time.Millisecond)
		row.P99Millis = float64(took.Quantile(0.99)) / float64(time.Millisecond)
		rows = append(rows, row)
	}
	for i := range rows {
		if rows[0].P99Millis > 0 {
			rows[i].Ratio = rows[i].P99Millis / rows[0].P99Millis
		}
	}
	return rows
}

func (d *disturber) inside(what string, at time.Time) bool {
	for _, w := range d.windows {
		if w.what == what && !at.Before(w.from) && at.Before(w.to) {
			return true
		}
	}
	return false
}

var errDisturb = errors.New("what was provoked did not come in three minutes")

// await polls until done says so.
func await(ctx context.Context, done func() bool) error {
	for end := time.Now().Add(disturbPatience); !done(); {
		if time.Now().After(end) {
			return errDisturb
		}
		if err := pauseFor(ctx, disturbPoll); err != nil {
			return err
		}
	}
	return nil
}

func pauseFor(ctx context.Context, d time.Duration) error { return sleep(ctx, d, context.Canceled) }
