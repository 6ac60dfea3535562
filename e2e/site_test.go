//go:build e2e

package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	siteName = "e2e"
	// stopTimeout is how long a node may take from SIGTERM to its end.
	stopTimeout = 30 * time.Second
	// startTimeout is how long a site may take from its start to a leader.
	startTimeout = 60 * time.Second
)

// node is one skerry agent, running or not.
type node struct {
	t       testing.TB
	name    string
	http    string // host:port
	coap    string // host:port
	args    []string
	logPath string
	space   *space // where its process runs, nil for where the test does

	mu      sync.Mutex
	process *exec.Cmd     // guarded by mu; nil while it is down
	exited  chan struct{} // guarded by mu; closed when process has ended
	exit    error         // how it ended, to be read when exited is closed
	paused  bool          // guarded by mu; by SIGSTOP
}

// site is some nodes with one bucket.
type site struct {
	t      testing.TB
	nodes  []*node
	bucket string // folder
}

// startSite starts n nodes and waits until all agree on a leader. first are
// further flags of the first node. The test's end stops them cleanly.
func startSite(t testing.TB, n int, first ...string) *site {
	t.Helper()
	dir := workDir(t)
	s := &site{t: t, bucket: filepath.Join(dir, "bucket")}
	addresses := freeAddresses(t, n)
	for i, a := range addresses {
		name := fmt.Sprintf("n%d", i+1)
		var others []string
		for _, other := range slices.Delete(slices.Clone(addresses), i, i+1) {
			others = append(others, other.gossip)
		}
		s.nodes = append(s.nodes, &node{
			t: t, name: name, http: a.http, coap: a.coap,
			logPath: filepath.Join(dir, name+".log"),
			args: []string{"agent", "--dev",
				"--name", name, "--site", siteName, "--data", filepath.Join(dir, name),
				"--http", a.http, "--coap", a.coap, "--cluster", a.cluster, "--gossip", a.gossip,
				"--advertise", "127.0.0.1",
				"--bootstrap-expect", fmt.Sprint(n), "--join", strings.Join(others, ","),
				"--cloud", s.bucketURL(),
			},
		})
	}
	s.nodes[0].args = append(s.nodes[0].args, first...)
	t.Cleanup(s.close)
	for _, node := range s.nodes {
		node.start()
	}
	s.waitLeader()
	return s
}

func (s *site) bucketURL() string { return "file://" + s.bucket }

// table is the folder of one of the site's tables: readings, frames or gaps.
func (s *site) table(name string) string { return filepath.Join(s.bucket, siteName, name) }

// workDir is a folder for the test's files, kept where E2E_KEEP says so.
func workDir(t testing.TB) string {
	t.Helper()
	keep := os.Getenv("E2E_KEEP")
	if keep == "" {
		return t.TempDir()
	}
	dir := filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "-"))
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts the node's process on what its data directory holds.
func (n *node) start() {
	n.t.Helper()
	log, err := os.OpenFile(n.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(binary(n.t), n.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := n.space.do(cmd.Start); err != nil {
		n.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		n.exit = cmd.Wait()
		close(exited)
	}()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process, n.exited, n.paused = cmd, exited, false
}

// kill ends the processes of the nodes with SIGKILL, all at once, and returns
// when they are gone.
func kill(nodes ...*node) {
	for _, n := range nodes {
		n.t.Helper()
		n.signal(syscall.SIGKILL)
	}
	for _, n := range nodes {
		<-n.exited
		n.mu.Lock()
		n.process = nil
		n.mu.Unlock()
	}
}

// pause stops the process where it stands, with all that waits in its sockets,
// and returns when each of its threads stands still.
func (n *node) pause() {
	n.t.Helper()
	n.signal(syscall.SIGSTOP)
	eventually(n.t, stopTimeout, n.name+" is stopped", n.stopped)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paused = true
}

// stopped tells by /proc which thread still runs.
func (n *node) stopped() error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.process.Process.Pid))
	if err != nil {
		return err
	}
	if len(threads) == 0 {
		return fmt.Errorf("%s has no threads in /proc", n.name)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			return err
		}
		// The state follows the name, which is in brackets: proc(5).
		if _, state, _ := bytes.Cut(stat, []byte(") ")); !bytes.HasPrefix(state, []byte("T")) {
			return fmt.Errorf("%s is in state %.1s", thread, state)
		}
	}
	return nil
}

// resume lets a paused process go on.
func (n *node) resume() {
	n.t.Helper()
	n.signal(syscall.SIGCONT)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.paused = false
}

// up tells whether the process runs, down whether there is none.
func (n *node) up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process != nil && !n.paused
}

func (n *node) down() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process == nil
}

func (n *node) signal(sig syscall.Signal) {
	n.t.Helper()
	if err := n.process.Process.Signal(sig); err != nil {
		n.t.Fatalf("signal %s: %v", n.name, err)
	}
}

// stop ends the process with SIGTERM; it must end by itself and well.
func (n *node) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	select {
	case <-n.exited:
		if n.exit != nil {
			n.t.Errorf("%s was told to stop and ended with %v", n.name, n.exit)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.process = nil
	case <-time.After(stopTimeout):
		n.t.Errorf("%s was told to stop and still runs after %s", n.name, stopTimeout)
		kill(n)
	}
}

// close stops all nodes and, when the test failed, shows how their logs end.
func (s *site) close() {
	s.t.Helper()
	for _, n := range s.nodes {
		if !n.down() && !n.up() {
			n.resume()
		}
	}
	for _, n := range s.running() {
		n.stop()
	}
	if !s.t.Failed() {
		return
	}
	for _, n := range s.nodes {
		s.t.Logf("the log of %s ends:\n%s", n.name, tail(n.logPath, 30))
	}
}

// running are the nodes whose processes run.
func (s *site) running() []*node {
	var up []*node
	for _, n := range s.nodes {
		if n.up() {
			up = append(up, n)
		}
	}
	return up
}

// waitLeader returns the node that all running nodes call their leader.
func (s *site) waitLeader() *node {
	s.t.Helper()
	var leader *node
	eventually(s.t, startTimeout, "all nodes are ready and agree on a leader", func() error {
		var err error
		leader, err = s.agreedLeader()
		return err
	})
	return leader
}

func (s *site) agreedLeader() (*node, error) {
	name := ""
	for _, n := range s.running() {
		if err := n.ended(); err != nil {
			return nil, err
		}
		st, err := n.status()
		switch {
		case err != nil:
			return nil, err
		case st.Leader == "" || !st.Ready:
			return nil, fmt.Errorf("%s is not ready: leader %q", n.name, st.Leader)
		case name != "" && st.Leader != name:
			return nil, fmt.Errorf("%s says %s leads, another says %s", n.name, st.Leader, name)
		}
		name = st.Leader
	}
	for _, n := range s.running() {
		if n.name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("the leader %q is not running", name)
}

// ended tells whether the process ended by itself.
func (n *node) ended() error {
	select {
	case <-n.exited:
		return fmt.Errorf("%s ended by itself (%w): %s", n.name, n.exit, tail(n.logPath, 1))
	default:
		return nil
	}
}

// tail is the last lines of a file.
func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
