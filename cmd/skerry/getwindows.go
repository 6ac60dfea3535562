package main

import (
	"encoding/csv"
	"fmt"
	"net/url"
	"strconv"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
)

// printWindows prints a series' windows, page after page.
func printWindows(c *cli.Context, cl *client.Client, device, resource string, query url.Values) error {
	format, limit, printed := c.String("o"), c.Int("limit"), 0
	cells := csv.NewWriter(c.App.Writer)
	line := func(w *client.Window) error {
		return cells.Write([]string{timeText(w.Time), strconv.Itoa(w.Count), w.Printed(), w.Unit})
	}
	switch format {
	case "csv":
		if err := cells.Write([]string{"time", "count", "value", "unit"}); err != nil {
			return err
		}
	case "json":
		line = func(w *client.Window) error { return printJSON(c.App.Writer, w) }
	default:
		if _, err := fmt.Fprintf(c.App.Writer, "%-27s  %8s  %s\n", "TIME", "READINGS", "VALUE"); err != nil {
			return err
		}
		line = func(w *client.Window) error {
			_, err := fmt.Fprintf(c.App.Writer, "%-27s  %8d  %s\n", timeText(w.Time), w.Count, w.Printed())
			return err
		}
	}
	for {
		size := pageReadings
		if limit > 0 {
			size = min(size, limit-printed)
		}
		query.Set("limit", strconv.Itoa(size))
		windows, next, err := cl.Windows(c.Context, device, resource, query)
		if err != nil {
			return err
		}
		for i := range windows {
			if err := line(&windows[i]); err != nil {
				return err
			}
		}
		if printed += len(windows); next == "" || printed == limit {
			cells.Flush()
			return cells.Error()
		}
		query.Set("cursor", next)
	}
}
