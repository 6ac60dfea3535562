package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/bench"
	"skerry/cmd/skerry/site"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure a site",
		Subcommands: []*cli.Command{{
			Name:  "ingest",
			Usage: "post readings over CoAP as fast as the site takes them",
			Description: "Each client has a socket of its own and one confirmable request in flight. Without --to it starts\n" +
				"a site of its own in a temporary folder and aims at its leader.",
			Flags: []cli.Flag{
				toFlag(),
				&cli.IntFlag{Name: "clients", Value: 64, Usage: "how many clients, `N`"},
				&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "how long, `D`, the load counts"},
				&cli.DurationFlag{Name: "warmup", Value: 2 * time.Second, Usage: "how long, `D`, there is load before it counts"},
				&cli.IntFlag{Name: "pack", Usage: fmt.Sprintf("send `N` readings in a message as SenML CBOR, at most %d (default: one as plain text)", bench.MaxPack)},
				&cli.Float64Flag{Name: "rate", Usage: "`N` messages a second of all clients together (default: as fast as they are answered)"},
				&cli.StringFlag{Name: "pids", Usage: "`PID`s of the nodes' processes, with commas between them, for CPU and disk figures"},
				&cli.IntFlag{Name: "nodes", Value: 3, Usage: "how many nodes, `N`, an own site has"},
				&cli.StringFlag{Name: "dir", Usage: "`DIR` for an own site, kept afterwards (default: a temporary one)"},
				&cli.StringSliceFlag{Name: "agent-flag", Usage: "`FLAG=VALUE` for the agents of an own site, as log-store=bolt"},
				&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the values (default: random)"},
			},
			Action: benchIngest,
		}, benchStartCommand(), benchDisturbCommand()},
	}
}

func benchIngest(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	if _, err := wantsJSON(c); err != nil {
		return err
	}
	cfg := bench.Config{
		Clients: c.Int("clients"), Pack: c.Int("pack"), Rate: c.Float64("rate"),
		Warmup: c.Duration("warmup"), Duration: c.Duration("duration"), Seed: c.Uint64("seed"),
	}
	if !c.IsSet("seed") {
		cfg.Seed = rand.Uint64()
	}
	run := benchOwn
	if c.String("to") != "" {
		run = benchGiven
	}
	result, err := run(c, cfg)
	if err != nil {
		return err
	}
	if err := show(c, result, func(t *table) { benchTable(t, &result) }); err != nil {
		return err
	}
	if result.Requests == 0 {
		return errors.New("no reading was stored")
	}
	return nil
}

// benchGiven loads the nodes that --to names.
func benchGiven(c *cli.Context, cfg bench.Config) (bench.Result, error) {
	var err error
	if cfg.To, err = coapAddresses(c); err != nil {
		return bench.Result{}, err
	}
	for _, text := range splitList([]string{c.String("pids")}) {
		pid, err := strconv.Atoi(text)
		if err != nil || pid < 1 {
			return bench.Result{}, usagef("--pids %s is not a process id", text)
		}
		cfg.Pids = append(cfg.Pids, pid)
	}
	return bench.Run(c.Context, cfg)
}

// benchOwn loads the leader of a site that it starts and stops.
func benchOwn(c *cli.Context, cfg bench.Config) (result bench.Result, err error) {
	dir, remove, err := workDir(c.String("dir"))
	if err != nil {
		return bench.Result{}, err
	}
	defer func() { remove(err) }()
	var flags []string
	for _, f := range c.StringSlice("agent-flag") {
		flags = append(flags, "--"+f)
	}
	s, err := site.Start(c.Context, site.Config{Dir: dir, Nodes: c.Int("nodes"), Site: "bench", Args: flags})
	if err != nil {
		return bench.Result{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithTimeout(c.Context, time.Minute)
	defer cancel()
	leader, err := s.WaitLeader(ctx)
	if err != nil {
		return bench.Result{}, fmt.Errorf("find the leader: %w", err)
	}
	to, err := netip.ParseAddrPort(leader.Addresses.CoAP)
	if err != nil {
		return bench.Result{}, err
	}
	cfg.To, cfg.Pids, cfg.Dir = []netip.AddrPort{to}, s.PIDs(), dir
	return bench.Run(c.Context, cfg)
}

func benchTable(t *table, r *bench.Result) {
	t.row("clients", fmt.Sprintf("%d, %d readings a message", r.Clients, r.Pack))
	t.row("rate", fmt.Sprintf("%.0f requests/s, %.0f readings/s", r.RequestsPerSec, r.ReadingsPerSec))
	t.row("latency", fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms", r.P50Millis, r.P99Millis, r.P999Millis))
	t.row("errors", fmt.Sprintf("%d (codes %v), %d sent again", r.Errors, r.Codes, r.Retransmits))
	if r.RSSBytes == 0 {
		return
	}
	t.row("CPU", fmt.Sprintf("%.1f us a request, %.1f us a reading, over all nodes", r.CPUPerRequest, r.CPUPerReading))
	t.row("written", fmt.Sprintf("%.0f bytes a reading, over all nodes", r.BytesPerReading))
	if r.DeviceBytes > 0 {
		t.row("disk", fmt.Sprintf("%.0f bytes a reading, by all processes and the file system", r.DeviceBytes))
	}
	t.row("memory", fmt.Sprintf("%d MiB resident, over all nodes", r.RSSBytes>>20))
}
