package cloudsync_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skerry/cloudsync"
	"skerry/cloudsync/delta"
	"skerry/cloudsync/target"
	"skerry/fsm"
)

// shippedBucket is a bucket with three commits of rows in readings (one of them
// after a gap), two in frames and one in gaps, in a folder.
func shippedBucket(tb testing.TB) (root string) {
	tb.Helper()
	s := newSite(tb)
	bucket, root := bucketIn(tb)
	y := newSyncer(s, "n1", bucket)
	stop := leading(s, y)
	s.post(100)
	s.snap(2)
	synced(tb, y)
	s.post(50)
	s.snap(1)
	synced(tb, y)
	stop() // so that the gap is there before its rows could be shipped
	s.post(30)
	s.cut()
	s.drop(151, 180, "disk full")
	s.post(20)
	leading(s, y)
	synced(tb, y)
	return root
}

func verify(tb testing.TB, root string) cloudsync.Report {
	tb.Helper()
	r, err := cloudsync.Verify(tb.Context(), "file://"+root, "demo")
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func sound(tb testing.TB, root string) cloudsync.Report {
	tb.Helper()
	r := verify(tb, root)
	for _, f := range r.Findings {
		tb.Errorf("found: %s", f)
	}
	return r
}

func has(r cloudsync.Report, table string, kind cloudsync.Kind) bool {
	return slices.ContainsFunc(r.Findings, func(f cloudsync.Finding) bool { return f.Table == table && f.Kind == kind })
}

func TestVerifyFindsNothingInASoundBucket(t *testing.T) {
	r := sound(t, shippedBucket(t))
	for i, want := range []struct {
		table string
		rows  uint64
		last  uint64
		files int
	}{{"readings", 170, 200, 3}, {"frames", 3, 3, 2}, {"gaps", 1, 1, 1}} {
		got := r.Tables[i]
		if got.Table != want.table || got.Rows != want.rows || got.Last != want.last || got.Files != want.files {
			t.Errorf("table = %+v, want %+v", got, want)
		}
	}
	if r.Dropped != 30 || r.Tables[0].Rows+r.Dropped != r.Tables[0].Last {
		t.Errorf("%d rows and %d dropped do not make up %d", r.Tables[0].Rows, r.Dropped, r.Tables[0].Last)
	}
	if len(r.Notes) != 0 {
		t.Errorf("notes = %v, want none", r.Notes)
	}
}

// only is the one file that matches.
func only(tb testing.TB, pattern ...string) string {
	tb.Helper()
	found, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(found) != 1 {
		tb.Fatalf("%v: %d files, %v", pattern, len(found), err)
	}
	return found[0]
}

// edit changes a file's bytes.
func edit(tb testing.TB, path string, f func([]byte) []byte) {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o644); err != nil {
		tb.Fatal(err)
	}
}

func remove(tb testing.TB, path string) {
	tb.Helper()
	if err := os.Remove(path); err != nil {
		tb.Fatal(err)
	}
}

// replace returns an edit of one string by another.
func replace(tb testing.TB, old, by string) func([]byte) []byte {
	return func(b []byte) []byte {
		tb.Helper()
		if !bytes.Contains(b, []byte(old)) {
			tb.Fatalf("no %q in %s", old, b)
		}
		return bytes.ReplaceAll(b, []byte(old), []byte(by))
	}
}

// recheck gives a changed commit a checksum that fits, as a careful forger does.
func recheck(tb testing.TB, change func(*delta.Commit)) func([]byte) []byte {
	return func(b []byte) []byte {
		tb.Helper()
		c, err := delta.Decode(b)
		if err != nil {
			tb.Fatal(err)
		}
		change(c)
		if b, err = c.Encode(); err != nil {
			tb.Fatal(err)
		}
		return b
	}
}

// copied is a bucket of its own with the objects of another.
func copied(tb testing.TB, from string) (root string) {
	tb.Helper()
	root = filepath.Join(tb.TempDir(), "bucket")
	if err := os.CopyFS(root, os.DirFS(from)); err != nil {
		tb.Fatal(err)
	}
	return root
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	whole := shippedBucket(t)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, site string)
		table  string
		want   cloudsync.Kind
	}{
		{"a file is missing", func(t *testing.T, site string) {
			remove(t, only(t, site, "readings/data/*/1-100-*"))
		}, "readings", cloudsync.MissingFile},
		{"a byte of a file is flipped", func(t *testing.T, site string) {
			edit(t, only(t, site, "readings/data/*/1-100-*"), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, "readings", cloudsync.ChangedFile},
		{"a byte of a frame is flipped", func(t *testing.T, site string) {
			edit(t, only(t, site, "frames/data/*/1-2-*"), func(b []byte) []byte { b[len(b)/3] ^= 0x40; return b })
		}, "frames", cloudsync.ChangedFile},
		{"a file is cut short", func(t *testing.T, site string) {
			edit(t, only(t, site, "readings/data/*/1-100-*"), func(b []byte) []byte { return b[:len(b)-1] })
		}, "readings", cloudsync.ChangedFile},
		{"a byte of the gaps is flipped", func(t *testing.T, site string) {
			edit(t, only(t, site, "gaps/data/1-1-*"), func(b []byte) []byte { b[10] ^= 1; return b })
		}, "gaps", cloudsync.ChangedFile},
		{"the first log entry is removed", func(t *testing.T, site string) {
			remove(t, filepath.Join(site, "readings", delta.Name(0)))
		}, "readings", cloudsync.MissingCommit},
		{"a log entry in the middle is removed", func(t *testing.T, site string) {
			remove(t, filepath.Join(site, "readings", delta.Name(2)))
		}, "readings", cloudsync.MissingCommit},
		{"the rows of a removed log entry are missed too", func(t *testing.T, site string) {
			remove(t, filepath.Join(site, "readings", delta.Name(1)))
		}, "readings", cloudsync.MissingRows},
		{"a whole table is removed", func(t *testing.T, site string) {
			if err := os.RemoveAll(filepath.Join(site, "gaps")); err != nil {
				t.Fatal(err)
			}
		}, "gaps", cloudsync.MissingTable},
		{"a log entry is doubled as the next one", func(t *testing.T, site string) {
			b, _ := os.ReadFile(filepath.Join(site, "readings", delta.Name(3)))
			if err := os.WriteFile(filepath.Join(site, "readings", delta.Name(4)), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "readings", cloudsync.DoubledEntry},
		{"a line of a log entry is doubled", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), func(b []byte) []byte {
				return append(b, b[bytes.Index(b, []byte(`{"add"`)):]...)
			})
		}, "readings", cloudsync.DoubledEntry},
		{"rows are added again by a foreign commit", func(t *testing.T, site string) {
			b, _ := os.ReadFile(filepath.Join(site, "readings", delta.Name(3)))
			b = b[bytes.Index(b, []byte(`{"add"`)):]
			if err := os.WriteFile(filepath.Join(site, "readings", delta.Name(4)), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "readings", cloudsync.DoubledEntry},
		{"a count in the last log entry is changed", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), replace(t, `numRecords\":20`, `numRecords\":21`))
		}, "readings", cloudsync.ChangedCount},
		{"a count in an earlier log entry is changed", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(1)), replace(t, `numRecords\":100`, `numRecords\":101`))
		}, "readings", cloudsync.ChangedCount},
		{"a count of frames is changed", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "frames", delta.Name(1)), replace(t, `numRecords\":2`, `numRecords\":9`))
		}, "frames", cloudsync.ChangedCount},
		{"a change that the log's own sum betrays", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), replace(t, `"node":"n1"`, `"node":"n2"`))
		}, "readings", cloudsync.DamagedCommit},
		{"a change with a new sum, betrayed by the next log entry", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(1)), recheck(t, func(c *delta.Commit) { c.Own().Node = "n2" }))
		}, "readings", cloudsync.BrokenChain},
		{"statistics that hide rows from engines", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), replace(t, `pump-2`, `pump-1`))
		}, "readings", cloudsync.ChangedStats},
		{"an older leader's entry after a newer one's", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), recheck(t, func(c *delta.Commit) { c.Own().Epoch.Incarnation = 0 }))
		}, "readings", cloudsync.EpochBack},
		{"a table of a newer skerry", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), recheck(t, func(c *delta.Commit) { c.Own().Format = 2 }))
		}, "readings", cloudsync.NewerFormat},
		{"a log entry that is no JSON", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), func([]byte) []byte { return []byte("{") })
		}, "readings", cloudsync.DamagedCommit},
		{"rows that are in the table and dropped", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), recheck(t, func(c *delta.Commit) { c.Own().Range.First = 171 }))
		}, "readings", cloudsync.ChangedCount},
		{"rows that are added twice", func(t *testing.T, site string) {
			edit(t, filepath.Join(site, "readings", delta.Name(3)), recheck(t, func(c *delta.Commit) { c.Own().Range.First = 141 }))
		}, "readings", cloudsync.DoubledEntry},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := copied(t, whole)
			c.damage(t, filepath.Join(root, "demo"))
			r := verify(t, root)
			if !has(r, c.table, c.want) {
				t.Errorf("findings = %v, want %s in %s", r.Findings, c.want, c.table)
			}
		})
	}
}

func TestVerifyFindsAnyFlippedByte(t *testing.T) {
	root := shippedBucket(t)
	bucket, err := target.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var objects []string
	err = bucket.List(t.Context(), "demo/", "", func(o target.Object) error {
		objects = append(objects, o.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range objects {
		path := filepath.Join(root, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/5 {
			b := slices.Clone(whole)
			b[at] ^= 1 << (at % 8)
			edit(t, path, func([]byte) []byte { return b })
			if r := verify(t, root); r.OK() {
				t.Errorf("byte %d of %s is flipped and nothing was found", at, name)
			}
		}
		edit(t, path, func([]byte) []byte { return whole })
	}
	sound(t, root)
}

func TestVerifyNotesOrphans(t *testing.T) {
	root := shippedBucket(t)
	last := filepath.Join(root, "demo/readings", delta.Name(3))
	remove(t, last)
	r := verify(t, root)
	if !r.OK() {
		t.Errorf("findings = %v, want none: the log is whole in itself", r.Findings)
	}
	if len(r.Notes) != 1 || r.Notes[0].Kind != cloudsync.Orphan || !strings.Contains(r.Notes[0].Detail, "removed") {
		t.Errorf("notes = %v, want the file of the removed entry", r.Notes)
	}
	r.Expect("readings", 3)
	if !has(r, "readings", cloudsync.MissingCommit) {
		t.Errorf("findings = %v, want the log entry that the site knows", r.Findings)
	}
}

func TestVerifyAcceptsACompaction(t *testing.T) {
	root := shippedBucket(t)
	b, err := os.ReadFile(filepath.Join(root, "demo/readings", delta.Name(1)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := delta.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	old := c.Adds[0]
	moved := "part-00000-c0ffee.snappy.parquet"
	from, _ := os.ReadFile(filepath.Join(root, "demo/readings", old.Path))
	if err := os.WriteFile(filepath.Join(root, "demo/readings", moved), from, 0o644); err != nil {
		t.Fatal(err)
	}
	foreign := &delta.Commit{
		Info:    &delta.CommitInfo{Operation: "OPTIMIZE"},
		Removes: []delta.Remove{{Path: old.Path}},
		Adds:    []delta.Add{{Path: moved, Size: old.Size}},
	}
	body, err := foreign.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "demo/readings", delta.Name(4)), body, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := sound(t, root); r.Tables[fsm.Readings].Rows != 170 {
		t.Errorf("rows = %d, want 170", r.Tables[fsm.Readings].Rows)
	}
}

// streaming hides that a folder's objects can be read at random.
type streaming struct{ target.Target }

func (s streaming) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := s.Target.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return struct{ io.ReadCloser }{r}, nil
}

func TestVerifyReadsStoresThatOnlyStream(t *testing.T) {
	bucket, err := target.OpenDir(shippedBucket(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	r, err := cloudsync.VerifyBucket(t.Context(), streaming{bucket}, "s3://bucket", "demo")
	if err != nil || !r.OK() || r.Tables[fsm.Readings].Rows != 170 {
		t.Errorf("report = %+v, %v, want 170 rows and no finding", r, err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("%d temporary files are left, %v", len(left), err)
	}
}

func TestVerifyOfNothing(t *testing.T) {
	_, root := bucketIn(t)
	if _, err := cloudsync.Verify(t.Context(), "file://"+root, "demo"); !errors.Is(err, cloudsync.ErrNoTables) {
		t.Errorf("Verify = %v, want ErrNoTables", err)
	}
}
