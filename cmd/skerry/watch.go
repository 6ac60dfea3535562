package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cmd/skerry/client"
)

// watchPause is how long a watch that broke off waits before it goes on.
const watchPause = time.Second

// errEnough ends a watch that has printed what it was asked for.
var errEnough = errors.New("enough readings")

func watchCommand() *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "print every reading as it comes in, in order",
		ArgsUsage: "[DEVICE[/RESOURCE]]",
		Description: "It prints what the asked node has applied, and goes on by itself, without loss, when the node\n" +
			"restarts. DEVICE and RESOURCE are patterns: * stands for any characters, '/' too, ? for one. A\n" +
			"pattern with a '/' in the device ends with one more. -o takes table and json, one reading a line.",
		Flags: []cli.Flag{
			&cli.Uint64Flag{Name: "after", Usage: "begin after `SEQ`, 0 for all there is (default: with the next reading)"},
			&cli.IntFlag{Name: "limit", Usage: "end after `N` readings (default: go on)"},
		},
		Action: watch,
	}
}

func watch(c *cli.Context) error {
	query, err := picked(c)
	if err != nil {
		return err
	}
	asJSON, err := wantsJSON(c)
	if err != nil {
		return err
	}
	if c.IsSet("limit") && c.Int("limit") < 1 {
		return usagef("--limit %d is not positive", c.Int("limit"))
	}
	after := ""
	if c.IsSet("after") {
		after = strconv.FormatUint(c.Uint64("after"), 10)
	}
	cl, err := connect(c)
	if err != nil {
		return err
	}
	printed := 0
	w := client.Watcher{
		Reading: func(r *client.Reading) error {
			if printed++; printed == c.Int("limit") {
				return errors.Join(printWatched(c.App.Writer, r, asJSON), errEnough)
			}
			return printWatched(c.App.Writer, r, asJSON)
		},
		Gap: func(first, last uint64) error {
			_, err := fmt.Fprintf(c.App.ErrWriter, "readings %d to %d are no longer kept\n", first, last)
			return err
		},
		At: func(seq uint64) { after = strconv.FormatUint(seq, 10) },
	}
	for begun := false; ; begun = true {
		err := cl.Watch(c.Context, after, query, w)
		switch {
		case errors.Is(err, errEnough) || c.Context.Err() != nil:
			return nil
		case errors.Is(err, client.ErrBroken), begun && client.StatusCode(err) == 0 || client.StatusCode(err) == 503:
			if _, err := fmt.Fprintf(c.App.ErrWriter, "going on after %s: %v\n", after, oneLine(err)); err != nil {
				return err
			}
		default:
			return err
		}
		if !pause(c.Context, watchPause) {
			return nil
		}
	}
}

// pause is false where ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func printWatched(w io.Writer, r *client.Reading, asJSON bool) error {
	if asJSON {
		b, err := json.Marshal(r)
		if err == nil {
			_, err = w.Write(append(b, '\n'))
		}
		return err
	}
	_, err := fmt.Fprintf(w, "%s  %d  %s/%s  %s\n", timeText(r.Time), r.Seq, r.Device, r.Resource, r.Summary())
	return err
}
