package target_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"skerry/cloudsync/target"
)

func openDir(tb testing.TB) (target.Target, string) {
	tb.Helper()
	root := filepath.Join(tb.TempDir(), "bucket")
	t, err := target.Open("file://" + root)
	if err != nil {
		tb.Fatal(err)
	}
	return t, root
}

func put(tb testing.TB, t target.Target, name, body string) error {
	tb.Helper()
	return t.PutIfAbsent(tb.Context(), name, strings.NewReader(body), int64(len(body)))
}

func get(tb testing.TB, t target.Target, name string) string {
	tb.Helper()
	r, err := t.Get(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func names(tb testing.TB, t target.Target, prefix, after string) []string {
	tb.Helper()
	var got []string
	err := t.List(tb.Context(), prefix, after, func(o target.Object) error {
		got = append(got, o.Name)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func TestOpen(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"a bucket of S3 comes later", "s3://bucket/prefix", "later version"},
		{"HDFS comes later", "hdfs://host/path", "later version"},
		{"a plain path has no scheme", "/srv/bucket", "no scheme"},
		{"a path that reads as a host is caught", "file://srv/bucket", "names the host"},
		{"a file URL needs a path", "file:", "no absolute path"},
		{"another scheme is not known", "ftp://x/y", "not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := target.Open(c.url)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open(%q) = %v, want an error with %q", c.url, err, c.want)
			}
		})
	}
}

func TestDirKeepsObjects(t *testing.T) {
	b, _ := openDir(t)
	if err := put(t, b, "readings/_delta_log/0.json", "zero"); err != nil {
		t.Fatal(err)
	}
	if err := put(t, b, "readings/_delta_log/0.json", "other"); !errors.Is(err, target.ErrExists) {
		t.Errorf("second put = %v, want ErrExists", err)
	}
	if got := get(t, b, "readings/_delta_log/0.json"); got != "zero" {
		t.Errorf("object = %q, want the first writer's bytes", got)
	}
	if n, err := b.Size(t.Context(), "readings/_delta_log/0.json"); n != 4 || err != nil {
		t.Errorf("Size = %d, %v, want 4", n, err)
	}
	if err := b.Delete(t.Context(), "readings/_delta_log/0.json"); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), "readings/_delta_log/0.json"); err != nil {
		t.Errorf("Delete of nothing = %v, want nil", err)
	}
	if _, err := b.Get(t.Context(), "readings/_delta_log/0.json"); !errors.Is(err, target.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if _, err := b.Size(t.Context(), "nothing"); !errors.Is(err, target.ErrNotFound) {
		t.Errorf("Size = %v, want ErrNotFound", err)
	}
}

func TestDirLists(t *testing.T) {
	b, _ := openDir(t)
	if got := names(t, b, "a/", ""); got != nil {
		t.Errorf("an unmade bucket lists %v", got)
	}
	for _, n := range []string{"a/log/2", "a/log/1", "a/data/x", "b/log/1"} {
		if err := put(t, b, n, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, prefix, after string
		want                []string
	}{
		{"a prefix is listed by name", "a/", "", []string{"a/data/x", "a/log/1", "a/log/2"}},
		{"after skips what sorts before it", "a/log/", "a/log/1", []string{"a/log/2"}},
		{"temporary files are not objects", "", "", []string{"a/data/x", "a/log/1", "a/log/2", "b/log/1"}},
		{"a prefix may end inside a name", "a/l", "", []string{"a/log/1", "a/log/2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := names(t, b, c.prefix, c.after); !slices.Equal(got, c.want) {
				t.Errorf("List = %v, want %v", got, c.want)
			}
		})
	}
}

func TestDirRefusesNamesThatLeaveIt(t *testing.T) {
	b, _ := openDir(t)
	for _, name := range []string{"", "/etc/x", "../x", "a/../../x", "a//b", ".skerry-tmp/x", "a\\b", strings.Repeat("x", 600)} {
		if err := put(t, b, name, "x"); err == nil {
			t.Errorf("put %q was taken", name)
		}
		if _, err := b.Get(t.Context(), name); err == nil {
			t.Errorf("get %q was taken", name)
		}
	}
}

func TestDirWritesAllOrNothing(t *testing.T) {
	broken := errors.New("the disk under the body broke")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		body io.Reader
		size int64
	}{
		{"a body that fails writes nothing", t.Context(), io.MultiReader(strings.NewReader("half"), failing{broken}), 8},
		{"a body too short writes nothing", t.Context(), strings.NewReader("half"), 8},
		{"a body too long writes nothing", t.Context(), strings.NewReader("more than half"), 8},
		{"a cancelled put writes nothing", cancelled, strings.NewReader("whole..."), 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, root := openDir(t)
			if err := b.PutIfAbsent(c.ctx, "x", c.body, c.size); err == nil || errors.Is(err, target.ErrExists) {
				t.Errorf("put = %v, want another error", err)
			}
			if got := names(t, b, "", ""); got != nil {
				t.Errorf("left %v", got)
			}
			if left, _ := os.ReadDir(filepath.Join(root, ".skerry-tmp")); len(left) != 0 {
				t.Errorf("left %d temporary files", len(left))
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestDirHasOneWinnerAmongManyWriters(t *testing.T) {
	b, _ := openDir(t)
	for round := range 20 {
		name := fmt.Sprintf("log/%d", round)
		var wins atomic.Int32
		var winner atomic.Value
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				body := strings.Repeat(fmt.Sprint(w), 10_000)
				switch err := put(t, b, name, body); {
				case err == nil:
					wins.Add(1)
					winner.Store(body)
				case !errors.Is(err, target.ErrExists):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Fatalf("round %d: %d writers won, want 1", round, wins.Load())
		}
		if get(t, b, name) != winner.Load() {
			t.Fatalf("round %d: the object is not its winner's", round)
		}
	}
}

func TestOpenRemovesWhatACrashLeft(t *testing.T) {
	_, root := openDir(t)
	old, young := filepath.Join(root, ".skerry-tmp", "put-old"), filepath.Join(root, ".skerry-tmp", "put-young")
	if err := os.MkdirAll(filepath.Dir(old), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{old, young} {
		if err := os.WriteFile(p, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	twoDaysAgo := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(old, twoDaysAgo, twoDaysAgo); err != nil {
		t.Fatal(err)
	}
	if _, err := target.OpenDir(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old temporary file is still there: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("another writer's temporary file was removed: %v", err)
	}
}

func TestProbe(t *testing.T) {
	disk := errors.New("read-only file system")
	for _, c := range []struct {
		name string
		wrap func(target.Target) target.Target
		want error
	}{
		{"a directory keeps the promise", func(t target.Target) target.Target { return t }, nil},
		{"a store that overwrites is refused", func(t target.Target) target.Target { return overwriting{t} }, target.ErrUnsafe},
		{"a store that forgets the bytes is refused", func(t target.Target) target.Target { return garbling{t} }, target.ErrUnsafe},
		{"a store where nobody wins is refused", func(t target.Target) target.Target { return failingPut{t, target.ErrExists} }, target.ErrUnsafe},
		{"a store that cannot be written is another error", func(t target.Target) target.Target { return failingPut{t, disk} }, disk},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := openDir(t)
			if err := target.Probe(t.Context(), c.wrap(b)); !errors.Is(err, c.want) {
				t.Errorf("Probe = %v, want %v", err, c.want)
			}
			if got := names(t, b, "", ""); got != nil {
				t.Errorf("the probe left %v", got)
			}
		})
	}
}

// overwriting ignores the condition, as some S3 servers do.
type overwriting struct{ target.Target }

func (o overwriting) PutIfAbsent(ctx context.Context, name string, body io.Reader, size int64) error {
	if err := o.Delete(ctx, name); err != nil {
		return err
	}
	err := o.Target.PutIfAbsent(ctx, name, body, size)
	if errors.Is(err, target.ErrExists) {
		return nil
	}
	return err
}

type garbling struct{ target.Target }

func (g garbling) Get(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader([]byte("something else"))), nil
}

type failingPut struct {
	target.Target
	err error
}

func (f failingPut) PutIfAbsent(context.Context, string, io.Reader, int64) error { return f.err }
