//go:build e2e

package e2e_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skerry/internal/faultfs"
)

// refusedIn is how long an agent may take to say that it does not start.
const refusedIn = 20 * time.Second

// directory is the data directory of a node that has stopped, with what starts
// the node again.
type directory struct {
	path string
	args []string
}

// usedDirectory runs a site of one node for a moment.
func usedDirectory(t *testing.T) *directory {
	t.Helper()
	s := startSite(t, 1, "--snapshot-after", "65536")
	n := s.nodes[0]
	for i := range 200 {
		pack := fmt.Sprintf(`[{"n":"pump-7/text","vs":"%d %s"}]`, i, strings.Repeat("x", 1000))
		resp, err := http.Post("http://"+n.http+"/v1/readings", "application/senml+json", strings.NewReader(pack))
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("a post was answered with %s", resp.Status)
		}
	}
	n.stop()
	d := &directory{args: n.args}
	for i, arg := range n.args {
		if arg == "--data" {
			d.path = n.args[i+1]
		}
	}
	return d
}

// copied is the directory again, at a place of its own.
func (d *directory) copied(t *testing.T, to string) *directory {
	t.Helper()
	must(t, os.CopyFS(to, os.DirFS(d.path)))
	args := append([]string(nil), d.args...)
	for i, arg := range args {
		if arg == d.path {
			args[i] = to
		}
	}
	return &directory{path: to, args: args}
}

// sums are the hashes of all files below a folder.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	}))
	return all
}

// start returns what an agent says that does not start.
func (d *directory) start(t *testing.T, more ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), refusedIn)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary(t), append(d.args, more...)...).CombinedOutput()
	var exit *exec.ExitError
	if ctx.Err() != nil || !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("got %v (%v), want an agent that ends with 1; it said:\n%s", err, ctx.Err(), out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func TestADataDirectoryThatIsNotThisNodesIsRefusedAndNotTouched(t *testing.T) {
	d := usedDirectory(t)
	replace := func(file, old, new string) func(*testing.T, *directory) {
		return func(t *testing.T, d *directory) {
			path := filepath.Join(d.path, file)
			b, err := os.ReadFile(path)
			must(t, err)
			if !strings.Contains(string(b), old) {
				t.Fatalf("%s is %s, want %s in it", file, b, old)
			}
			must(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(b), old, new)), 0o640))
		}
	}
	remove := func(what string) func(*testing.T, *directory) {
		return func(t *testing.T, d *directory) {
			path := filepath.Join(d.path, what)
			if _, err := os.Stat(path); err != nil {
				t.Fatal(err)
			}
			must(t, os.RemoveAll(path))
		}
	}
	same := func(*testing.T, *directory) {}
	for _, c := range []struct {
		name   string
		change func(*testing.T, *directory)
		args   []string
		says   string
	}{
		{"a newer version's", replace("node.json", `"format": `, `"format": 9`), nil, "upgrade this node"},
		{"another site's", same, []string{"--site", "elsewhere"}, `belongs to site "e2e", not "elsewhere": check --data and --site`},
		{"another node's", same, []string{"--name", "n7"}, `belongs to node "n1", not "n7": check --data and --name`},
		{"one without its identity", remove("node.json"), nil, "put that file back, or move the directory away"},
		{"one with a damaged identity", replace("node.json", `{`, ``), nil, "move the directory away"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := d.copied(t, filepath.Join(t.TempDir(), "data"))
			c.change(t, bad)
			before := sums(t, bad.path)
			if got := bad.start(t, c.args...); !strings.Contains(got, c.says) {
				t.Errorf("it said %q, want %q in it", got, c.says)
			}
			if after := sums(t, bad.path); !maps.Equal(before, after) {
				t.Errorf("it changed the directory from %v to %v", before, after)
			}
		})
	}
}

func TestADiskThatKeepsNothingIsRefusedAndNotTouched(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("mounting needs root")
	}
	d := usedDirectory(t)
	t.Run("one without fsync", func(t *testing.T) {
		disk, dir := faultfs.New(), t.TempDir()
		if err := disk.Mount(dir); err != nil {
			t.Fatalf("the disk needs /dev/fuse: %v", err)
		}
		t.Cleanup(func() { must(t, disk.Unmount()) })
		bad := d.copied(t, filepath.Join(dir, "data"))
		before := sums(t, dir)
		for _, e := range []syscall.Errno{syscall.EINVAL, syscall.EOPNOTSUPP, syscall.EIO} {
			lift := disk.Inject(faultfs.Fault{Op: faultfs.Sync, Err: e})
			if got := bad.start(t); !strings.Contains(got, "takes no fsync") || !strings.Contains(got, "skerry doctor") {
				t.Errorf("it said %q of %v", got, e)
			}
			out, err := exec.Command(binary(t), "doctor", "--data", bad.path).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "nothing can be kept there: fdatasync") {
				t.Errorf("the doctor said, with %v:\n%s", err, out)
			}
			lift()
		}
		if after := sums(t, dir); !maps.Equal(before, after) {
			t.Errorf("it changed the directory from %v to %v", before, after)
		}
	})
	t.Run("a read-only one", func(t *testing.T) {
		dir := t.TempDir()
		bad := d.copied(t, filepath.Join(dir, "data"))
		must(t, syscall.Mount(dir, dir, "", syscall.MS_BIND, ""))
		t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
		must(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
		if got := bad.start(t); !strings.Contains(got, "is on a disk that is read-only: mount it for writing") {
			t.Errorf("it said %q", got)
		}
	})
}
