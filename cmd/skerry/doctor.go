package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/doctor"
)

// errUnfit: the doctor found a problem, and has said which.
var errUnfit = errors.New("a node is not to run here: see the problems above")

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "examine the disk and the machine, and recommend a profile",
		Description: "Measures 300 fsyncs in a temporary file on the disk of --data, and looks at the filesystem, the\n" +
			"clock, the memory and the limits. It asks no node and changes nothing. It ends with 1 where a\n" +
			"node is not to run.",
		Flags:  []cli.Flag{&cli.StringFlag{Name: "data", Value: "skerry-data", EnvVars: []string{"SKERRY_DATA"}, Usage: "`DIR` that the node keeps everything in, or will"}},
		Action: examine,
	}
}

func examine(c *cli.Context) error {
	if _, err := operands(c); err != nil {
		return err
	}
	if _, err := wantsJSON(c); err != nil {
		return err
	}
	r, err := doctor.Examine(c.String("data"))
	if err != nil {
		return err
	}
	if err := show(c, r, func(t *table) { printReport(t, &r) }); err != nil {
		return err
	}
	if !r.OK() {
		return errUnfit
	}
	return nil
}

func printReport(t *table, r *doctor.Report) {
	f := r.Filesystem
	t.row("filesystem", fmt.Sprintf("%s at %s (%s; %s)", f.Type, f.Mount, f.Device, strings.Join(f.Options, ",")))
	if r.Sync.Failed == "" {
		t.row("fsync of 4 KiB", fmt.Sprintf("median %s, p99 %s, slowest %s of %d",
			r.Sync.P50.Round(time.Microsecond), r.Sync.P99.Round(time.Microsecond), r.Sync.Max.Round(time.Microsecond), r.Sync.Count))
	}
	t.row("space", fmt.Sprintf("%d MiB free of %d MiB", r.Space.Free>>20, r.Space.Total>>20))
	t.row("clock", fmt.Sprintf("%s, kept right by NTP: %s, goes on without power: %s", r.Clock.Now.Format(time.RFC3339), yesNo(r.Clock.Synced), yesNo(r.Clock.RTC)))
	t.row("memory", fmt.Sprintf("%d MiB", r.Memory.Least()>>20))
	t.row("open files", r.OpenFiles)
	if r.Profile != "" {
		t.row("profile", fmt.Sprintf("--profile %s: %s", r.Profile, r.Reason))
	}
	for _, f := range r.Findings {
		if f.Problem {
			t.row("PROBLEM", f.Text)
		} else {
			t.row("warning", f.Text)
		}
	}
}
