package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
	"skerry/cmd/skerry/client"
)

// pageReadings is how many readings one request asks for.
const pageReadings = 10_000

func getCommand() *cli.Command {
	return &cli.Command{
		Name:      "get",
		Usage:     "print the latest reading of a series, or its history",
		ArgsUsage: "DEVICE[/RESOURCE]",
		Description: "Without --from, --to and --limit it prints the latest reading, with any of them the history\n" +
			"by time; with --step one value for each window of time in which there are readings. DEVICE alone prints the latest reading of each of its resources; a device whose name\n" +
			"has a '/' is then written with one more at its end. -o takes table, json and csv.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "first `TIME`, RFC 3339 or Unix seconds"},
			&cli.StringFlag{Name: "to", Usage: "`TIME` to stop before"},
			&cli.IntFlag{Name: "limit", Usage: "print at most `N` readings (default: all)"},
			&cli.StringFlag{Name: "order", Value: "asc", Usage: "asc, or desc for the newest first"},
			&cli.StringFlag{Name: "step", Usage: "print one value for each window of this `DURATION`: 30s, 5m, 24h"},
			&cli.StringFlag{Name: "agg", Value: "avg", Usage: "what it is of the readings in the window: min, max, avg, count or last"},
			consistencyFlag(),
		},
		Action: get,
	}
}

func get(c *cli.Context) error {
	names, err := operands(c, "DEVICE[/RESOURCE]")
	if err != nil {
		return err
	}
	out, err := newReadingWriter(c.App.Writer, c.String("o"))
	if err != nil {
		return err
	}
	query, history, err := rangeQuery(c)
	if err != nil {
		return err
	}
	cl, err := connect(c)
	if err != nil {
		return err
	}
	device, resource := splitSeries(names[0])
	if !history {
		return printLatest(c, cl, device, resource, out)
	}
	if resource == "" {
		return usagef("a history is of one series: write %s/RESOURCE", device)
	}
	if c.IsSet("step") {
		return printWindows(c, cl, device, resource, query)
	}
	next, err := copyHistory(c.Context, cl, device, resource, query, c.Int("limit"), out)
	if err != nil {
		return err
	}
	return out.close(next)
}

// rangeQuery is the query that the flags stand for; history is false when they
// ask for the latest reading.
func rangeQuery(c *cli.Context) (query url.Values, history bool, err error) {
	if _, err := cluster.ParseConsistency(c.String("consistency")); err != nil {
		return nil, false, usageError{err}
	}
	query = url.Values{"consistency": {c.String("consistency")}}
	for _, name := range []string{"from", "to"} {
		if !c.IsSet(name) {
			continue
		}
		t, err := parseTime(name, c.String(name))
		if err != nil {
			return nil, false, err
		}
		query.Set(name, t.UTC().Format(time.RFC3339Nano))
		history = true
	}
	for _, name := range []string{"order", "step", "agg"} {
		if c.IsSet(name) {
			query.Set(name, c.String(name))
			history = true
		}
	}
	if c.IsSet("limit") {
		if c.Int("limit") < 1 {
			return nil, false, usagef("--limit %d is not positive", c.Int("limit"))
		}
		history = true
	}
	return query, history, nil
}

// printLatest prints the latest reading of a series, or of each of a device's.
func printLatest(c *cli.Context, cl *client.Client, device, resource string, out readingWriter) error {
	latest, err := cl.Latest(c.Context, device, c.String("consistency"))
	if err != nil {
		return err
	}
	if resource != "" {
		latest = slices.DeleteFunc(latest, func(r client.Reading) bool { return r.Resource != resource })
	}
	if len(latest) == 0 && resource == "" {
		return fmt.Errorf("device %q has no readings: skerry device show %s prints what is known of it", device, device)
	}
	if len(latest) == 0 {
		return fmt.Errorf("device %q has no reading of %q: skerry get %s/ prints what it has", device, resource, device)
	}
	if err := out.page(latest); err != nil {
		return err
	}
	return out.close("")
}

// copyHistory prints page after page, at most limit readings (0 for all), and
// returns the cursor of what is left, "" when nothing is.
func copyHistory(ctx context.Context, cl *client.Client, device, resource string, query url.Values, limit int, out readingWriter) (next string, err error) {
	for printed := 0; ; {
		size := pageReadings
		if limit > 0 {
			size = min(size, limit-printed)
		}
		query.Set("limit", strconv.Itoa(size))
		page, err := cl.Series(ctx, device, resource, query)
		if err != nil {
			return "", err
		}
		if err := out.page(page.Readings); err != nil {
			return "", err
		}
		printed += len(page.Readings)
		if page.Next == "" || printed == limit {
			return page.Next, nil
		}
		query.Set("cursor", page.Next)
	}
}
