package client

import (
	"context"
	"net/http"
)

// Keep is how much a site keeps of readings or of frames. 0 is no bound.
type Keep struct {
	Age   float64 `json:"age"`   // seconds
	Bytes uint64  `json:"bytes"` // of files on one node
}

// Retention is what a site keeps.
type Retention struct {
	Version   uint64 `json:"version"`
	Readings  Keep   `json:"readings"`
	Frames    Keep   `json:"frames"`
	Unshipped string `json:"unshipped"` // keep or drop: what becomes of rows that the bucket lacks
}

// Retention returns what the site keeps.
func (c *Client) Retention(ctx context.Context) (Retention, error) {
	var r Retention
	err := c.get(ctx, "/v1/retention", nil, &r)
	return r, err
}

// SetRetention replaces the settings of r.Version, and returns the new ones.
func (c *Client) SetRetention(ctx context.Context, r Retention) (Retention, error) {
	var now Retention
	err := c.do(ctx, http.MethodPut, "/v1/retention", nil, r, &now)
	return now, err
}

// Erase erases what a device has sent up to now.
func (c *Client) Erase(ctx context.Context, device string) error {
	return c.do(ctx, http.MethodDelete, devicePath(device, "data"), nil, nil, nil)
}
