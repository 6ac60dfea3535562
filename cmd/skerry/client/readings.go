package client

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"skerry/fsm"
)

// Reading is a reading as the contract writes it. One of Value, Text, Flag and
// Data is set.
type Reading struct {
	Seq      uint64    `json:"seq"`
	Device   string    `json:"device"`
	Resource string    `json:"resource"`
	Unit     string    `json:"unit,omitempty"`
	Time     time.Time `json:"time"`
	Received time.Time `json:"received"`
	Value    *float64  `json:"value,omitempty"`
	Text     *string   `json:"text,omitempty"`
	Flag     *bool     `json:"flag,omitempty"`
	Data     *[]byte   `json:"data,omitempty"` // base64
}

// Printed is the value for a table or a CSV cell; bytes are base64.
func (r *Reading) Printed() string {
	switch {
	case r.Value != nil:
		return fsm.FormatNumber(*r.Value)
	case r.Flag != nil:
		return strconv.FormatBool(*r.Flag)
	case r.Text != nil:
		return *r.Text
	case r.Data != nil:
		return base64.StdEncoding.EncodeToString(*r.Data)
	}
	return ""
}

// maxSummary is how many characters of a text a summary has.
const maxSummary = 60

// Summary is the value in a few words for one line of a screen, with its unit:
// of bytes it says how many there are, of a long text how it begins.
func (r *Reading) Summary() string {
	if r.Data != nil {
		return fmt.Sprintf("%d bytes", len(*r.Data))
	}
	said := strings.TrimSpace(r.Printed() + " " + r.Unit)
	if letters := []rune(said); len(letters) > maxSummary {
		return string(letters[:maxSummary]) + "..."
	}
	return said
}

// Page is a part of an answer. Next asks for the next one; "" after the last.
type Page struct {
	Readings []Reading `json:"readings"`
	Next     string    `json:"next"`
}

// Series returns a page of a series. The query's keys are those of the
// contract: from, to, limit, cursor, consistency.
func (c *Client) Series(ctx context.Context, device, resource string, query url.Values) (Page, error) {
	var page Page
	path := "/v1/readings/" + segment(device) + "/" + segment(resource)
	err := c.get(ctx, path, query, &page)
	return page, err
}

// After returns up to limit readings of the whole site with a seq above after,
// in seq order, at a consistency.
func (c *Client) After(ctx context.Context, after uint64, limit int, consistency string) (Page, error) {
	var page Page
	err := c.get(ctx, "/v1/readings", url.Values{
		"after":       {strconv.FormatUint(after, 10)},
		"limit":       {strconv.Itoa(limit)},
		"consistency": {consistency},
	}, &page)
	return page, err
}

// Latest returns the latest reading of each of a device's resources, by
// resource.
func (c *Client) Latest(ctx context.Context, device, consistency string) ([]Reading, error) {
	var answer struct {
		Latest []Reading `json:"latest"`
	}
	err := c.get(ctx, "/v1/devices/"+segment(device), url.Values{"consistency": {consistency}}, &answer)
	return answer.Latest, err
}

// Ready returns nil when the node has replayed its log and serves.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/readyz", nil, nil, nil)
}

// Reading is the reading as the site's rooms have it.
func (r *Reading) Reading() fsm.Reading {
	out := fsm.Reading{
		Seq: fsm.Seq(r.Seq), Device: r.Device, Resource: r.Resource, Unit: r.Unit,
		Time: r.Time.UnixMicro(), Received: r.Received.UnixMicro(),
	}
	switch {
	case r.Value != nil:
		out.Value = fsm.NumberValue(*r.Value)
	case r.Flag != nil:
		out.Value = fsm.FlagValue(*r.Flag)
	case r.Text != nil:
		out.Value = fsm.TextValue(*r.Text)
	case r.Data != nil:
		out.Value = fsm.DataValue(*r.Data)
	}
	return out
}
