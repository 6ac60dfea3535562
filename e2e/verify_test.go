//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestVerify damages copies of a bucket in five ways; the check of each must
// name what was damaged.
func TestVerify(t *testing.T) {
	const batches = 4
	client := program(t, "coap-client-notls", "coap-client")
	s := startSite(t, 1)
	readings := weatherReadings(t, 10*batches)
	for i := range batches {
		s.post(client, readings[10*i:10*i+10], func(int) {})
		s.nodes[0].command(nil, "cloud", "sync")
	}
	s.nodes[0].stop()

	for _, c := range []struct {
		name    string
		finding string // what the check calls it, "" for a whole bucket
		damage  func(t *testing.T, table string) (named string)
	}{
		{"a whole bucket passes", "", nil},
		{"a missing file is named", "missing file", removeFile},
		{"a file with one flipped bit is named", "changed file", flipBit},
		{"a removed log entry is named", "missing log entry", removeEntry},
		{"a doubled log entry is named", "doubled entry", doubleEntry},
		{"a changed count is named", "changed count", changeCount},
	} {
		t.Run(c.name, func(t *testing.T) {
			bucket := t.TempDir()
			if err := os.CopyFS(bucket, os.DirFS(s.bucket)); err != nil {
				t.Fatal(err)
			}
			if c.damage == nil {
				if out, errs, code := verify(t, bucket); code != 0 {
					t.Errorf("got exit %d: %s%s", code, out, errs)
				}
				return
			}
			named := c.damage(t, filepath.Join(bucket, siteName, "readings"))
			out, errs, code := verify(t, bucket)
			line := regexp.MustCompile("(?m)^WRONG: readings: " + c.finding + ": .*" + regexp.QuoteMeta(named))
			if code != 1 || !line.MatchString(out) {
				t.Errorf("got exit %d, want 1 and a line %s: %s%s", code, line, out, errs)
			}
		})
	}
}

// verify checks a bucket that no node has open.
func verify(t *testing.T, bucket string) (stdout, stderr string, code int) {
	t.Helper()
	return skerry(t, "cloud", "verify", "--cloud", "file://"+bucket, "--site", siteName)
}

// files are the paths below the table that a pattern matches, sorted.
func files(t *testing.T, table, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(table, pattern))
	if err != nil || len(found) < 3 {
		t.Fatalf("%s in %s: %v, %v, want at least three", pattern, table, found, err)
	}
	slices.Sort(found)
	return found
}

func segments(t *testing.T, table string) []string { return files(t, table, "data/*/*.parquet") }
func entries(t *testing.T, table string) []string  { return files(t, table, "_delta_log/*.json") }

func removeFile(t *testing.T, table string) string {
	path := segments(t, table)[1]
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path)
}

func flipBit(t *testing.T, table string) string {
	path := segments(t, table)[1]
	rewrite(t, path, func(b []byte) []byte {
		b[len(b)/2] ^= 1
		return b
	})
	return filepath.Base(path)
}

func removeEntry(t *testing.T, table string) string {
	path := entries(t, table)[2]
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path)
}

// doubleEntry writes the last commit a second time, under the next number.
func doubleEntry(t *testing.T, table string) string {
	all := entries(t, table)
	last, err := os.ReadFile(all[len(all)-1])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(table, "_delta_log", fmt.Sprintf("%020d.json", len(all)))
	if err := os.WriteFile(path, last, 0o644); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(path)
}

// changeCount makes the log promise one row more than the last file has.
func changeCount(t *testing.T, table string) string {
	all := entries(t, table)
	path := all[len(all)-1]
	rewrite(t, path, func(b []byte) []byte {
		changed := regexp.MustCompile(`numRecords\\":10\b`).ReplaceAll(b, []byte(`numRecords\":11`))
		if bytes.Equal(changed, b) {
			t.Fatalf("%s has no count of 10: %s", path, b)
		}
		return changed
	})
	return filepath.Base(segments(t, table)[len(segments(t, table))-1])
}

// rewrite replaces a file's content.
func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o644); err != nil {
		t.Fatal(err)
	}
}
