//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	// commandTimeout bounds one command of the operator.
	commandTimeout = 2 * time.Minute
	// askTimeout bounds one HTTP request of a test.
	askTimeout = 20 * time.Second
)

// status is the part of a node's status that the tests look at.
type status struct {
	Leader    string `json:"leader"`
	LastSeq   uint64 `json:"last_seq"`
	SyncedSeq uint64 `json:"synced_seq"`
	Digest    string `json:"digest"`
	Ready     bool   `json:"ready"`
}

// reading is a reading as skerry tells it.
type reading struct {
	Seq      uint64    `json:"seq"`
	Device   string    `json:"device"`
	Resource string    `json:"resource"`
	Unit     string    `json:"unit"`
	Time     time.Time `json:"time"`
	Received time.Time `json:"received"`
	Value    *float64  `json:"value"`
}

// skerry runs the binary and returns what it printed and its exit code.
func skerry(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("skerry %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// command runs a command against the node; it must succeed. What it prints as
// JSON goes to v, unless v is nil.
func (n *node) command(v any, args ...string) {
	n.t.Helper()
	args = append(args, "--addr", "http://"+n.http, "-o", "json")
	out, errs, code := skerry(n.t, args...)
	if code != 0 {
		n.t.Fatalf("skerry %s: exit %d: %s", strings.Join(args, " "), code, errs)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		n.t.Fatalf("skerry %s printed %q: %v", strings.Join(args, " "), out, err)
	}
}

// get asks the node over HTTP and decodes its JSON answer into v. Another code
// than 200 is an error.
func (n *node) get(path string, v any) error {
	body, err := n.fetch(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

// fetch is the body of what the node answers over HTTP.
func (n *node) fetch(path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := n.space.client().Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s: %s", path, answer.Status, body)
	}
	return body, nil
}

func (n *node) status() (status, error) {
	var st status
	err := n.get("/v1/status", &st)
	return st, err
}

// history is all that the node holds, in seq order.
func (n *node) history() []reading {
	n.t.Helper()
	var all []reading
	for {
		after := uint64(0)
		if len(all) > 0 {
			after = all[len(all)-1].Seq
		}
		var page struct {
			Readings []reading `json:"readings"`
		}
		if err := n.get(fmt.Sprintf("/v1/readings?after=%d&limit=10000", after), &page); err != nil {
			n.t.Fatal(err)
		}
		if len(page.Readings) == 0 {
			return all
		}
		all = append(all, page.Readings...)
	}
}

// digestsAgree compares the digests that the running nodes print, until each
// index at which two of them spoke shows the same digest and all have spoken
// about one common index.
func (s *site) digestsAgree() {
	s.t.Helper()
	said := map[string]map[string]string{} // index -> node -> digest
	eventually(s.t, startTimeout, "all nodes print the same digest at the same index", func() error {
		for _, n := range s.running() {
			st, err := n.status()
			if err != nil {
				return err
			}
			index, digest, ok := strings.Cut(st.Digest, ":")
			if !ok {
				return fmt.Errorf("%s prints the digest %q, want index:hex", n.name, st.Digest)
			}
			if said[index] == nil {
				said[index] = map[string]string{}
			}
			for other, theirs := range said[index] {
				if theirs != digest {
					s.t.Fatalf("at index %s %s has %s, %s has %s: their states differ", index, n.name, digest, other, theirs)
				}
			}
			said[index][n.name] = digest
			if len(said[index]) == len(s.running()) {
				return nil
			}
		}
		return fmt.Errorf("no index common to all in %v", said)
	})
}
