package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"skerry/cmd/skerry/client"
)

// readingWriter prints readings page by page, so that a long history needs no
// room. close is called once, after the last page.
type readingWriter interface {
	page([]client.Reading) error
	close(next string) error
}

// newReadingWriter prints to w in the format that -o names.
func newReadingWriter(w io.Writer, format string) (readingWriter, error) {
	switch format {
	case "", "table":
		return &tableReadings{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}, nil
	case "json":
		return &jsonReadings{w: w}, nil
	case "csv":
		return &csvReadings{w: csv.NewWriter(w)}, nil
	}
	return nil, usagef("-o %s is not known here: use table, json or csv", format)
}

// tableReadings aligns the columns of each page by itself.
type tableReadings struct {
	w      *tabwriter.Writer
	headed bool
}

func (t *tableReadings) page(readings []client.Reading) error {
	rows := table{t.w}
	if !t.headed {
		rows.row("TIME", "DEVICE", "RESOURCE", "VALUE", "UNIT", "SEQ")
		t.headed = true
	}
	for i := range readings {
		r := &readings[i]
		rows.row(timeText(r.Time), r.Device, r.Resource, r.Printed(), r.Unit, r.Seq)
	}
	return t.w.Flush()
}

func (t *tableReadings) close(next string) error {
	if next != "" {
		rows := table{t.w}
		rows.line("there is more: raise --limit or move --from")
	}
	return t.w.Flush()
}

// jsonReadings prints one object, as the HTTP interface does.
type jsonReadings struct {
	w     io.Writer
	count int
}

func (j *jsonReadings) page(readings []client.Reading) error {
	for i := range readings {
		b, err := json.Marshal(&readings[i])
		if err != nil {
			return fmt.Errorf("print JSON: %w", err)
		}
		lead := ","
		if j.count == 0 {
			lead = `{"readings":[`
		}
		j.count++
		if _, err := j.w.Write(append([]byte(lead), b...)); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonReadings) close(next string) error {
	lead := ""
	if j.count == 0 {
		lead = `{"readings":[`
	}
	_, err := fmt.Fprintf(j.w, "%s],\"next\":%s}\n", lead, strconv.Quote(next))
	return err
}

// csvReadings prints RFC 4180 with a header line.
type csvReadings struct {
	w      *csv.Writer
	headed bool
}

func (c *csvReadings) page(readings []client.Reading) error {
	if err := c.head(); err != nil {
		return err
	}
	for i := range readings {
		r := &readings[i]
		cells := []string{strconv.FormatUint(r.Seq, 10), r.Device, r.Resource, r.Unit, timeText(r.Time), timeText(r.Received), r.Printed()}
		if err := c.w.Write(cells); err != nil {
			return err
		}
	}
	c.w.Flush()
	return c.w.Error()
}

func (c *csvReadings) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	return c.w.Write([]string{"seq", "device", "resource", "unit", "time", "received", "value"})
}

func (c *csvReadings) close(string) error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// timeText is a time as the contract writes it: RFC 3339 in UTC, to the microsecond.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }
