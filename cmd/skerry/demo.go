package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"skerry/cmd/skerry/demo"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "show a site of several nodes at work on this machine",
		Description: "Starts the nodes as child processes, with simulated sensors, a camera, a count and a bucket in a\n" +
			"folder. At the end it reads every node's history and holds it against what the sensors were told.",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "nodes", Value: 3, Usage: "how many nodes, `N`"},
			&cli.DurationFlag{Name: "duration", Usage: "how long, `D` (default: until Ctrl-C)"},
			&cli.DurationFlag{Name: "kill-leader-every", Usage: "kill the leader's process with -9 every `D` and start it again"},
			&cli.StringFlag{Name: "dir", Usage: "empty `DIR` for the nodes and the bucket, kept afterwards (default: a temporary one)"},
			&cli.IntFlag{Name: "sensors", Value: 60, Usage: "how many sensors, `N`"},
			&cli.DurationFlag{Name: "every", Value: time.Second, Usage: "how often, `D`, a sensor measures"},
			&cli.StringFlag{Name: "replay", Usage: "CSV `FILE` of real data to post, too"},
			&cli.Float64Flag{Name: "speed", Value: 3600, Usage: "how many times faster, `N`, than the file's own times; 0 is as fast as it goes"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the sensors (default: random)"},
		},
		Action: runDemo,
	}
}

func runDemo(c *cli.Context) (err error) {
	if _, err := operands(c); err != nil {
		return err
	}
	asJSON, err := wantsJSON(c)
	if err != nil {
		return err
	}
	dir, remove, err := workDir(c.String("dir"))
	if err != nil {
		return err
	}
	defer func() { remove(err) }()
	cfg := demo.Config{
		Nodes: c.Int("nodes"), Dir: dir, Duration: c.Duration("duration"), KillEvery: c.Duration("kill-leader-every"),
		Sensors: c.Int("sensors"), Every: c.Duration("every"), Seed: c.Uint64("seed"),
		Replay: c.String("replay"), Speed: c.Float64("speed"),
		Out: c.App.Writer, Live: isTerminal(c.App.Writer),
	}
	if !c.IsSet("seed") {
		cfg.Seed = rand.Uint64()
	}
	if asJSON {
		cfg.Out, cfg.Live = c.App.ErrWriter, false
	}
	report, err := demo.Run(c.Context, cfg)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(c.App.Writer, report)
	} else {
		err = report.Print(c.App.Writer)
	}
	if err := errors.Join(err, report.Err()); err != nil {
		return err
	}
	if asJSON || c.String("dir") != "" {
		return nil
	}
	_, err = fmt.Fprintln(c.App.Writer, "the folder with all of it is removed now: --dir DIR keeps it")
	return err
}

// isTerminal reports whether somebody looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
