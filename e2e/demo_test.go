//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"
)

// TestDemo runs the demonstration while its leader is killed again and again,
// and reads its own balance.
func TestDemo(t *testing.T) {
	dir := workDir(t)
	out, errs, code := skerry(t, "demo", "--nodes", "3", "--duration", "20s", "--kill-leader-every", "6s",
		"--dir", dir, "-o", "json")
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		t.Logf("the demo said:\n%s", errs)
		for _, node := range []string{"n1", "n2", "n3"} {
			t.Logf("the log of %s ends:\n%s", node, tail(filepath.Join(dir, node+".log"), 60))
		}
	})
	if code != 0 {
		t.Fatalf("skerry demo: exit %d", code)
	}
	var balance struct {
		Nodes      int    `json:"nodes"`
		Acked      uint64 `json:"acked"`
		Stored     uint64 `json:"stored"`
		Duplicates uint64 `json:"duplicates"`
		Lost       uint64 `json:"lost"`
		Synced     uint64 `json:"synced"`
		Kills      int    `json:"kills"`
		Bucket     string `json:"bucket"`
	}
	lines := bytes.Split(bytes.TrimSpace([]byte(out)), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &balance); err != nil {
		t.Fatalf("the demo ended with %q: %v", lines[len(lines)-1], err)
	}
	t.Logf("%+v", balance)
	if balance.Lost != 0 || balance.Duplicates != 0 {
		t.Errorf("got lost %d, duplicates %d, want none", balance.Lost, balance.Duplicates)
	}
	if balance.Acked == 0 || balance.Stored != balance.Acked || balance.Synced != balance.Stored {
		t.Errorf("got acked %d, stored %d, synced %d, want three equal numbers", balance.Acked, balance.Stored, balance.Synced)
	}
	if balance.Nodes != 3 || balance.Kills < 2 || balance.Bucket == "" {
		t.Errorf("got nodes %d, kills %d, bucket %q, want 3 nodes, at least 2 kills and a bucket", balance.Nodes, balance.Kills, balance.Bucket)
	}
}
