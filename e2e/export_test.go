//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// DuckDB reads what skerry export writes and what a node streams.
func TestExportsAreReadByDuckDB(t *testing.T) {
	const readings = 70_000 // more than a row group
	s := startSite(t, 1)
	n := s.nodes[0]
	for from := 0; from < readings; from += 1000 {
		var pack bytes.Buffer
		for i := from; i < from+1000; i++ {
			fmt.Fprintf(&pack, `,{"n":"pump-%d/t","u":"Cel","t":%d,"v":%g}`, i%7, 1_700_000_000+i, float64(i)/4)
		}
		res, err := http.Post("http://"+n.http+"/v1/readings", "application/senml+json", strings.NewReader("["+pack.String()[1:]+"]"))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("post: %s", res.Status)
		}
	}
	dir := workDir(t)
	exported, streamed := filepath.Join(dir, "exported.parquet"), filepath.Join(dir, "streamed.parquet")
	if _, errs, code := skerry(t, "export", "--addr", "http://"+n.http, "--file", exported); code != 0 {
		t.Fatalf("export: %s", errs)
	}
	body, err := n.fetch("/v1/readings?limit=all&format=parquet")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(streamed, body, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{exported, streamed} {
		var rows [][5]float64
		query(t, "duckdb", file, "SELECT count(*), count(distinct seq), max(seq), sum(value), count(distinct device) FROM bucket WHERE unit = 'Cel'", &rows)
		want := [5]float64{readings, readings, readings, readings * (readings - 1) / 8.0, 7}
		if len(rows) != 1 || rows[0] != want {
			t.Errorf("%s: %v, want %v", filepath.Base(file), rows, want)
		}
	}
}
