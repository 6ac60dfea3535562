package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"skerry/coap"
)

// Device is a device as a list shows it.
type Device struct {
	Device     string    `json:"device"`
	Resources  []string  `json:"resources"`
	Received   time.Time `json:"received,omitzero"` // of its last reading or frame
	Registered bool      `json:"registered"`
	Keys       int       `json:"keys"`
	Note       string    `json:"note,omitempty"`
}

// DeviceCard is all that a node knows of a device.
type DeviceCard struct {
	Device     string        `json:"device"`
	Registered *Registration `json:"registered"` // nil for a device that is not
	Latest     []Reading     `json:"latest"`
	Seen       *coap.Entry   `json:"seen"` // at this node's door; nil for not at all
}

// Registration is a device's record in the registry.
type Registration struct {
	Note    string      `json:"note"`
	Writes  []string    `json:"writes"` // patterns of further names that it may write
	Created time.Time   `json:"created"`
	Keys    []DeviceKey `json:"keys"`
}

// DeviceKey is a key without its secret.
type DeviceKey struct {
	Identity  string    `json:"identity"`
	Created   time.Time `json:"created"`
	ExpiresIn *float64  `json:"expires_in,omitempty"` // seconds; nil for never
}

// KeyWish is what a new key shall be; all but Overlap may be left out.
type KeyWish struct {
	Identity string
	Secret   string        // as text, or in hex after hex:
	Overlap  time.Duration // for which the device's other keys are still taken
}

// NewKey is a key with its secret, which is told this once.
type NewKey struct {
	Device   string `json:"device"`
	Identity string `json:"identity"`
	Secret   string `json:"secret"`
}

// Document is one side of a device's twin.
type Document struct {
	ContentType string
	ETag        string
	Body        []byte
}

func devicePath(device string, more ...string) string {
	path := "/v1/devices/" + segment(device)
	for _, part := range more {
		path += "/" + segment(part)
	}
	return path
}

// Devices returns those that posted and those that are registered, by name.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var list struct {
		Devices []Device `json:"devices"`
	}
	err := c.get(ctx, "/v1/devices", nil, &list)
	return list.Devices, err
}

// DeviceCard returns what the node knows of a device, at a consistency.
func (c *Client) DeviceCard(ctx context.Context, device, consistency string) (DeviceCard, error) {
	var card DeviceCard
	err := c.get(ctx, devicePath(device), url.Values{"consistency": {consistency}}, &card)
	return card, err
}

// Register enters a device that is not there yet.
func (c *Client) Register(ctx context.Context, device, note string, writes []string) error {
	body := struct {
		Note   string   `json:"note"`
		Writes []string `json:"writes"`
	}{note, writes}
	r, err := jsonRequest(http.MethodPut, devicePath(device), body)
	if err != nil {
		return err
	}
	r.header = http.Header{"If-None-Match": {"*"}}
	return c.ask(ctx, r, nil)
}

// Unregister takes a device and its keys out of the registry.
func (c *Client) Unregister(ctx context.Context, device string) error {
	return c.do(ctx, http.MethodDelete, devicePath(device), nil, nil, nil)
}

// AddKey gives a device a key.
func (c *Client) AddKey(ctx context.Context, device string, wish KeyWish) (NewKey, error) {
	body := struct {
		Identity string  `json:"identity,omitempty"`
		Secret   string  `json:"secret,omitempty"`
		Overlap  float64 `json:"overlap"` // seconds
	}{wish.Identity, wish.Secret, wish.Overlap.Seconds()}
	var made NewKey
	err := c.do(ctx, http.MethodPost, devicePath(device, "keys"), nil, body, &made)
	return made, err
}

// RevokeKey takes a key from a device, or all when identity is "".
func (c *Client) RevokeKey(ctx context.Context, device, identity string) error {
	path := devicePath(device, "keys")
	if identity != "" {
		path = devicePath(device, "keys", identity)
	}
	return c.do(ctx, http.MethodDelete, path, nil, nil, nil)
}

// Desired returns what a device shall be like.
func (c *Client) Desired(ctx context.Context, device string) (Document, error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: devicePath(device, "desired")})
	if err != nil {
		return Document{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return Document{ContentType: resp.Header.Get("Content-Type"), ETag: resp.Header.Get("ETag"), Body: body}, err
}

// PutDesired replaces it, and returns the new ETag.
func (c *Client) PutDesired(ctx context.Context, device string, d Document) (etag string, err error) {
	r := request{method: http.MethodPut, path: devicePath(device, "desired"), body: d.Body}
	r.header = http.Header{"Content-Type": {d.ContentType}}
	resp, err := c.send(ctx, r)
	if err != nil {
		return "", err
	}
	return resp.Header.Get("ETag"), resp.Body.Close()
}

// DeleteDesired takes it away.
func (c *Client) DeleteDesired(ctx context.Context, device string) error {
	return c.do(ctx, http.MethodDelete, devicePath(device, "desired"), nil, nil, nil)
}
