package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"skerry/cluster"
)

// Paths whose answers may take minutes to begin.
const (
	leavePath    = "/v1/leave"
	syncPath     = "/v1/cloud/sync"
	snapshotPath = "/v1/snapshot"
)

// Status is the node's own view of itself and the site.
func (c *Client) Status(ctx context.Context) (cluster.Status, error) {
	var s cluster.Status
	err := c.get(ctx, "/v1/status", nil, &s)
	return s, err
}

// Members are the site's nodes as this one knows them.
func (c *Client) Members(ctx context.Context) ([]cluster.Member, error) {
	var list struct {
		Members []cluster.Member `json:"members"`
	}
	err := c.get(ctx, "/v1/members", nil, &list)
	return list.Members, err
}

// Leave takes the node out of the site. It goes on until it is out.
func (c *Client) Leave(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, leavePath, nil, nil, nil)
}

// Snapshot writes a file of the whole site to w. An answer that broke off has no
// end: inspect what was written.
func (c *Client) Snapshot(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: snapshotPath})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// Sync cuts, ships, and returns when the bucket has everything committed before.
// The answer is the bucket's state as the node writes it.
func (c *Client) Sync(ctx context.Context) (json.RawMessage, error) {
	var raw json.RawMessage
	err := c.do(ctx, http.MethodPost, syncPath, nil, nil, &raw)
	return raw, err
}
