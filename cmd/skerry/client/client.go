package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxProblem bounds what is read of an answer that is not a success, in bytes.
	maxProblem = 64 << 10
	// idleConns is how many connections are kept for the next request.
	idleConns = 4
	// connTimeout bounds the making of a connection.
	connTimeout = 5 * time.Second
	// answerTimeout bounds the wait for an answer to begin. A node waits 30 s
	// for its site before it says so.
	answerTimeout = 45 * time.Second
	// patientTimeout is answerTimeout for what ships or moves data first: a
	// node gives up after 10 minutes.
	patientTimeout = 11 * time.Minute
)

// Config says where a node is and who asks.
type Config struct {
	Addr   string // http://host:port or https://host:port
	Either bool   // fall back to plain HTTP, without the token, where the node at an https:// Addr has no TLS
	Token  string // bearer token, "" for none
	CAFile string // PEM file of the authority of the node's certificate, "" for the system's
	// Patience bounds the wait for an answer to begin, 0 for answerTimeout.
	Patience time.Duration
}

// Client asks one node. It may be used by several goroutines.
type Client struct {
	base   *url.URL
	either bool
	plain  atomic.Bool // the node turned out to have no TLS
	token  string
	http   *http.Client
	slow   *http.Client // for answers that may take long to begin
}

// New makes a client; it opens nothing yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.Addr)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("address %q is not a URL: write http://host:port or https://host:port", cfg.Addr)
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: connTimeout}).DialContext,
		MaxIdleConnsPerHost:   idleConns,
		TLSHandshakeTimeout:   connTimeout,
		ResponseHeaderTimeout: cmp.Or(cfg.Patience, answerTimeout),
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", cfg.CAFile)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	patient := transport.Clone()
	patient.ResponseHeaderTimeout = patientTimeout
	return &Client{
		base: base, either: cfg.Either, token: cfg.Token,
		http: &http.Client{Transport: transport}, slow: &http.Client{Transport: patient},
	}, nil
}

// get reads the JSON answer of a GET into v.
func (c *Client) get(ctx context.Context, path string, query url.Values, v any) error {
	return c.do(ctx, http.MethodGet, path, query, nil, v)
}

// Raw returns the JSON answer of a GET as it came.
func (c *Client) Raw(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	var raw json.RawMessage
	err := c.get(ctx, path, query, &raw)
	return raw, err
}

// segment is a name as one segment of a path. "." and ".." would be taken for
// steps on the way.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

// request is one for a node. A body is JSON unless header says otherwise.
type request struct {
	method string
	path   string
	query  url.Values
	header http.Header
	body   []byte // nil for none
}

// do sends a request with a JSON body, nil for none, and reads the JSON answer
// into v, nil to drop it.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, body, v any) error {
	r, err := jsonRequest(method, path, body)
	if err != nil {
		return err
	}
	r.query = query
	return c.ask(ctx, r, v)
}

// jsonRequest is a request with a JSON body, nil for none.
func jsonRequest(method, path string, body any) (r request, err error) {
	r = request{method: method, path: path}
	if body != nil {
		r.body, err = json.Marshal(body)
	}
	return r, err
}

// ask sends a request and reads the JSON answer into v, nil to drop it.
func (c *Client) ask(ctx context.Context, r request, v any) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if v == nil {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		return fmt.Errorf("answer of %s to %s %s: %w", c.where(), r.method, r.path, err)
	}
	return nil
}

// send returns the answer of a request that succeeded; the caller closes its
// body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	resp, err := c.try(ctx, r)
	if errors.Is(err, http.ErrSchemeMismatch) && c.either {
		c.plain.Store(true)
		resp, err = c.try(ctx, r)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, c.explain(err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, problem(resp)
	}
	return resp, nil
}

func (c *Client) try(ctx context.Context, r request) (*http.Response, error) {
	target := c.where() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, r.header)
	if c.token != "" && !c.plain.Load() {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.path == syncPath || r.path == leavePath || r.path == snapshotPath {
		return c.slow.Do(req)
	}
	return c.http.Do(req)
}

// where is the node's address as a URL without a path.
func (c *Client) where() string {
	scheme := c.base.Scheme
	if c.plain.Load() {
		scheme = "http"
	}
	return scheme + "://" + c.base.Host + strings.TrimSuffix(c.base.EscapedPath(), "/")
}

// explain says what to do about an answer that did not come.
func (c *Client) explain(err error) error {
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("the node at %s takes too long: look after its process, or name another node with --addr: %w", c.where(), err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s: start one with skerry agent, or name another with --addr", ErrNoNode, c.where())
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("the node at %s runs with --dev: write --addr http://%s", c.where(), c.base.Host)
	}
	return err
}
