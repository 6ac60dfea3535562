//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// binary is the skerry under test.
func binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("SKERRY_BIN")
	if path == "" {
		path = filepath.Join("..", "bin", "skerry")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the binary under test is missing: %v: run make bin/skerry", err)
	}
	return path
}

// peer is the path of a file that e2e/peers.sh fetches.
func peer(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SKERRY_PEERS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(cache, "skerry-peers")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("a peer of the tests is missing: %v: run e2e/peers.sh", err)
	}
	return path
}

// program is the path of the first of these programs that is installed.
func program(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed: run e2e/peers.sh", names[0])
	return ""
}

// coapTimeout is how long libcoap's client waits for an answer, with its own
// retransmissions inside.
const coapTimeout = 8 * time.Second

// answerLine is how libcoap's client prints the answer's code at -v 6.
var answerLine = regexp.MustCompile(`(?m)^v:1 t:\w+ c:(\d\.\d\d) `)

// coapPost posts a JSON body with libcoap's client as a confirmable message and
// returns the code of the answer, "" when none came.
func coapPost(ctx context.Context, client, url, body string) (code string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*coapTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, client, "-m", "post", "-t", "50", "-v", "6",
		"-B", fmt.Sprint(coapTimeout.Seconds()), "-e", body, url)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", fmt.Errorf("%v: %w", cmd, err)
	}
	codes := answerLine.FindAllSubmatch(out, -1)
	if len(codes) == 0 {
		return "", nil
	}
	return string(codes[len(codes)-1][1]), nil
}

// query lets an outside reader (deltalake, duckdb, spark, flink) run SQL over a
// table, which the statement calls bucket, and decodes its rows into rows.
func query(t testing.TB, engine, table, sql string, rows any) {
	t.Helper()
	var reader []string
	switch engine {
	case "deltalake", "duckdb":
		reader = []string{peer(t, "readers/bin/python"), "engines/query.py", engine}
	case "spark":
		reader = []string{peer(t, "engines/bin/python"), "engines/query.py", engine}
	case "flink":
		reader = []string{program(t, "java"), "--add-opens=java.base/java.util=ALL-UNNAMED",
			"-cp", peer(t, "flink") + "/*", "engines/FlinkQuery.java"}
	}
	cmd := exec.CommandContext(t.Context(), reader[0], append(reader[1:], table, sql)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s cannot read %s: %v: %s", engine, table, err, errs.Bytes())
	}
	if err := json.Unmarshal(out, rows); err != nil {
		t.Fatalf("rows of %s: %v: %s", engine, err, out)
	}
}
