package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

// table prints rows with aligned columns.
type table struct{ w io.Writer }

// row prints one row; the cells are printed by fmt.Sprint.
func (t *table) row(cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
	}
	t.line(strings.Join(text, "\t"))
}

// line prints a line as it is.
func (t *table) line(s string) {
	// The writer is the tabwriter's buffer; show reports what flushing says.
	_, _ = fmt.Fprintln(t.w, s)
}

// wantsJSON reports what -o asks for. Formats beside table and json are the
// command's own.
func wantsJSON(c *cli.Context) (bool, error) {
	switch o := c.String("o"); o {
	case "", "table":
		return false, nil
	case "json":
		return true, nil
	default:
		return false, usagef("-o %s is not known here: use table or json", o)
	}
}

// show prints v as one JSON object, or what rows prints as a table.
func show(c *cli.Context, v any, rows func(*table)) error {
	asJSON, err := wantsJSON(c)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.App.Writer, v)
	}
	return printTable(c.App.Writer, rows)
}

func printJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

func printTable(w io.Writer, rows func(*table)) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows(&table{tw})
	return tw.Flush()
}
