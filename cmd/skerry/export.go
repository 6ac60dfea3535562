package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"skerry/cluster"
	"skerry/cmd/skerry/client"
	"skerry/fsm/segment"
)

const (
	// exportTries bounds how often an export goes on after an answer that broke
	// off, without a reading between.
	exportTries = 10
	exportPause = 2 * time.Second
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write readings as CSV, JSON lines or Parquet",
		ArgsUsage: "[DEVICE[/RESOURCE]]",
		Description: "All readings that the site has when it is asked, in the order in which they entered it; or those\n" +
			"that patterns and times pick. DEVICE and RESOURCE are patterns: * stands for any characters, '/' too,\n" +
			"? for one. A pattern with a '/' in the device ends with one more. -o takes csv, json (one reading a\n" +
			"line) and parquet; a file's name says it too. At the end it tells how many readings there are and\n" +
			"the seq of the last one: --after and that seq export what has come in since.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "file", Usage: "write `FILE`, which is complete or not there (default: standard output)"},
			&cli.Uint64Flag{Name: "after", Usage: "begin after `SEQ`"},
			&cli.StringFlag{Name: "from", Usage: "first `TIME`, RFC 3339 or Unix seconds"},
			&cli.StringFlag{Name: "to", Usage: "`TIME` to stop before"},
			consistencyFlag(),
		},
		Action: export,
	}
}

func export(c *cli.Context) error {
	query, err := picked(c)
	if err != nil {
		return err
	}
	if _, err := cluster.ParseConsistency(c.String("consistency")); err != nil {
		return usageError{err}
	}
	query.Set("consistency", c.String("consistency"))
	for _, name := range []string{"from", "to"} {
		if !c.IsSet(name) {
			continue
		}
		t, err := parseTime(name, c.String(name))
		if err != nil {
			return err
		}
		query.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
	format, err := exportFormat(c.String("o"), c.String("file"))
	if err != nil {
		return err
	}
	cl, err := connect(c)
	if err != nil {
		return err
	}
	var count, last uint64 = 0, c.Uint64("after")
	err = toFile(c.App.Writer, c.String("file"), func(w io.Writer) error {
		out, err := newExporter(w, format)
		if err != nil {
			return err
		}
		for tries := 0; ; tries++ {
			query.Set("after", strconv.FormatUint(last, 10))
			err := cl.Each(c.Context, query, func(r *client.Reading) error {
				count, last, tries = count+1, r.Seq, 0
				return out.add(r)
			})
			if err == nil {
				return out.close()
			}
			if !errors.Is(err, client.ErrBroken) || tries == exportTries || !pause(c.Context, exportPause) {
				return fmt.Errorf("after %d readings, the last with seq %d: %w", count, last, err)
			}
		}
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.ErrWriter, "exported %d readings, the last with seq %d\n", count, last)
	return err
}

// exportFormat is csv, json or parquet, by what -o says or a file's name.
func exportFormat(o, file string) (string, error) {
	if o == "" {
		o = map[string]string{".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}[filepath.Ext(file)]
	}
	switch o {
	case "", "csv":
		return "csv", nil
	case "json", "parquet":
		return o, nil
	}
	return "", usagef("-o %s is not known here: use csv, json or parquet", o)
}

// toFile has write fill a new file that everybody may read, or stdout where name
// is "".
func toFile(stdout io.Writer, name string, write func(io.Writer) error) error {
	if name == "" {
		return write(stdout)
	}
	return newFile(name, 0o644, func(f *os.File) error { return write(f) })
}

// exporter writes readings in one format.
type exporter struct {
	add   func(*client.Reading) error
	close func() error
}

func newExporter(w io.Writer, format string) (exporter, error) {
	buf := bufio.NewWriterSize(w, 1<<16)
	switch format {
	case "json":
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		return exporter{add: func(r *client.Reading) error { return enc.Encode(r) }, close: buf.Flush}, nil
	case "parquet":
		table, err := segment.NewTable(buf)
		if err != nil {
			return exporter{}, err
		}
		add := func(r *client.Reading) error {
			x := r.Reading()
			return table.Add(&x)
		}
		return exporter{add: add, close: func() error { return errors.Join(table.Close(), buf.Flush()) }}, nil
	}
	out := csv.NewWriter(buf)
	end := func() error {
		out.Flush()
		return errors.Join(out.Error(), buf.Flush())
	}
	return exporter{add: func(r *client.Reading) error { return out.Write(exportCells(r)) }, close: end},
		out.Write([]string{"seq", "device", "resource", "unit", "time", "received", "value", "flag", "text", "data"})
}

// exportCells are a reading's cells, named as in the bucket's table.
func exportCells(r *client.Reading) []string {
	cells := []string{strconv.FormatUint(r.Seq, 10), r.Device, r.Resource, r.Unit, timeText(r.Time), timeText(r.Received), "", "", "", ""}
	switch {
	case r.Value != nil:
		cells[6] = r.Printed()
	case r.Flag != nil:
		cells[7] = r.Printed()
	case r.Text != nil:
		cells[8] = r.Printed()
	case r.Data != nil:
		cells[9] = r.Printed()
	}
	return cells
}
