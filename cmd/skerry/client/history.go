package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrBroken: an answer ended before its end. What came until then is good.
var ErrBroken = errors.New("the answer broke off")

// maxEvent bounds a line of a watch, in bytes: a reading of 224 KiB, in base64,
// fits.
const maxEvent = 512 << 10

// Window is a window of a series as the contract writes it. One of Value, Text,
// Flag and Data is set.
type Window struct {
	Time  time.Time `json:"time"` // its start
	Count int       `json:"count"`
	Unit  string    `json:"unit,omitempty"`
	Value *float64  `json:"value,omitempty"`
	Text  *string   `json:"text,omitempty"`
	Flag  *bool     `json:"flag,omitempty"`
	Data  *[]byte   `json:"data,omitempty"` // base64
}

// Printed is Reading.Printed.
func (w *Window) Printed() string {
	r := Reading{Value: w.Value, Text: w.Text, Flag: w.Flag, Data: w.Data}
	return r.Printed()
}

// Windows returns a page of a series' windows. The query's keys are those of
// the contract.
func (c *Client) Windows(ctx context.Context, device, resource string, query url.Values) (windows []Window, next string, err error) {
	var page struct {
		Windows []Window `json:"windows"`
		Next    string   `json:"next"`
	}
	err = c.get(ctx, "/v1/readings/"+segment(device)+"/"+segment(resource), query, &page)
	return page.Windows, page.Next, err
}

// LatestPage returns a page of the latest readings of all series.
func (c *Client) LatestPage(ctx context.Context, query url.Values) (Page, error) {
	var page Page
	err := c.get(ctx, "/v1/latest", query, &page)
	return page, err
}

// Each calls f for all readings that a query of the whole site finds, in seq
// order. Errors: ErrBroken; what f returned.
func (c *Client) Each(ctx context.Context, query url.Values, f func(*Reading) error) error {
	query.Set("format", "jsonl")
	query.Set("limit", "all")
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/v1/readings", query: query})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(bufio.NewReaderSize(resp.Body, 64<<10))
	for {
		var r Reading
		err := lines.Decode(&r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return broken(ctx, err)
		}
		if err := f(&r); err != nil {
			return err
		}
	}
}

func broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// Watcher takes what a watch finds.
type Watcher struct {
	Reading func(*Reading) error
	// Gap takes readings that the site no longer keeps.
	Gap func(first, last uint64) error
	// At takes the seq up to which all has come.
	At func(seq uint64)
}

// Watch calls w for what a watch finds, until the watch ends. after is the seq
// to begin after; "" begins with the next reading. Errors: ErrBroken, from which
// a caller may go on; what w's functions returned.
func (c *Client) Watch(ctx context.Context, after string, query url.Values, w Watcher) error {
	if after != "" {
		query.Set("after", after)
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/v1/watch", query: query})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var e event
	for lines.Scan() {
		if line := lines.Text(); line != "" {
			e.line(line)
			continue
		}
		if err := e.give(w); err != nil {
			return err
		}
		e = event{}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF // a watch has no end
	}
	return broken(ctx, err)
}

// event is a server-sent event.
type event struct{ name, id, data string }

func (e *event) line(s string) {
	key, value, _ := strings.Cut(s, ": ")
	switch key {
	case "event":
		e.name = value
	case "id":
		e.id = value
	case "data":
		e.data = value
	}
}

// give hands the event on.
func (e *event) give(w Watcher) (err error) {
	var body struct {
		Reading
		Problem
		First, Last uint64
	}
	if e.data != "" {
		if err := json.Unmarshal([]byte(e.data), &body); err != nil {
			return fmt.Errorf("event %s: %w", e.id, err)
		}
	}
	switch {
	case e.name == "error":
		return fmt.Errorf("%w: %s", ErrBroken, body.Problem.Error())
	case e.name == "gap":
		err = w.Gap(body.First, body.Last)
	case e.data != "":
		err = w.Reading(&body.Reading)
	}
	if seq, bad := strconv.ParseUint(e.id, 10, 64); bad == nil && err == nil {
		w.At(seq)
	}
	return err
}
