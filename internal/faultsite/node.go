package faultsite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"skerry/cluster"
	"skerry/internal/faultfs"
)

const (
	// restartPause is how long the supervisor waits before it starts a node that
	// ended; systemd's default is half of it.
	restartPause = 200 * time.Millisecond
	// maxAnswer bounds what is read of a node's answer.
	maxAnswer = 64 << 20
)

// Node is one machine: its disk, its network, and a process that is started
// again whenever it ends.
type Node struct {
	Name string
	Disk *faultfs.Disk // nil where Dir is on another filesystem

	dir    string   // of the disk; the data directory is below
	log    string   // file
	flags  []string // of the agent, but for those that hold addresses
	groups []string // folders of the cgroups that its processes are in
	http   *http.Client

	mu       sync.Mutex // guards all below
	machine  *machine
	join     []string // gossip addresses of nodes
	binary   string
	wanted   bool // the supervisor starts it again
	process  *os.Process
	exited   chan struct{} // closed when process has been waited for
	ends     int           // how often a process ended by itself
	starting sync.WaitGroup
}

// Data is the node's data directory.
func (n *Node) Data() string { return filepath.Join(n.dir, "data") }

// Start has the supervisor run the node.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = true
	if n.process != nil {
		return nil
	}
	return n.start()
}

// start starts a process; mu is held.
func (n *Node) start() error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := n.command()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := n.machine.do(cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	exited := make(chan struct{})
	n.process, n.exited = cmd.Process, exited
	n.starting.Add(1)
	go func() {
		defer n.starting.Done()
		err := cmd.Wait()
		close(exited)
		n.ended(err)
	}()
	return nil
}

// command is the node's, begun by a shell that enters the node's cgroups first;
// mu is held.
func (n *Node) command() *exec.Cmd {
	host := n.machine.address
	args := append([]string{"agent", "--http", host + ":7480", "--coap", host + ":5683",
		"--cluster", host + ":7420", "--gossip", host + ":7421", "--join", strings.Join(n.join, ",")}, n.flags...)
	if len(n.groups) == 0 {
		return exec.Command(n.binary, args...)
	}
	enter := ""
	for _, dir := range n.groups {
		enter += fmt.Sprintf("echo $$ >%s/cgroup.procs && ", dir)
	}
	return exec.Command("/bin/sh", append([]string{"-c", enter + `exec "$0" "$@"`, n.binary}, args...)...)
}

// ended starts a process after the one that ended, where that is wanted.
func (n *Node) ended(err error) {
	n.mu.Lock()
	n.process = nil
	wanted := n.wanted
	if wanted {
		n.ends++
	}
	n.mu.Unlock()
	if !wanted {
		return
	}
	time.Sleep(restartPause)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wanted && n.process == nil {
		if err := n.start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// Kill ends the process with SIGKILL; the supervisor starts another.
func (n *Node) Kill() {
	n.signal(syscall.SIGKILL)
}

// Pause stops the process where it stands; Resume lets it go on.
func (n *Node) Pause()  { n.signal(syscall.SIGSTOP) }
func (n *Node) Resume() { n.signal(syscall.SIGCONT) }

func (n *Node) signal(sig syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		_ = n.process.Signal(sig) // it may have ended just now
	}
}

// Down ends the process with SIGKILL for good. It does not wait.
func (n *Node) Down() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = false
	if n.process != nil {
		_ = n.process.Signal(syscall.SIGKILL)
	}
}

// Gone waits until no process of the node is left.
func (n *Node) Gone() { n.starting.Wait() }

// Stop ends the process with SIGTERM for good and waits, at most half a minute.
func (n *Node) Stop() error {
	n.mu.Lock()
	n.wanted = false
	process, exited := n.process, n.exited
	n.mu.Unlock()
	if process == nil {
		return nil
	}
	_ = process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(30 * time.Second):
		n.Down()
		<-exited
		return fmt.Errorf("%s was told to stop and had to be killed: see %s", n.Name, n.log)
	}
	n.Gone()
	return nil
}

// Ends is how often a process of the node has ended without being told to.
func (n *Node) Ends() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ends
}

// PID is the process's, 0 while there is none.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return 0
	}
	return n.process.Pid
}

// at is the machine on which the node runs now.
func (n *Node) at() *machine {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.machine
}

// move has the next process of the node run on a machine and look for the others
// at some gossip addresses.
func (n *Node) move(to *machine, join []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.machine, n.join = to, join
}

// become has the next process of the node be of another binary.
func (n *Node) become(binary string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.binary = binary
}

func (n *Node) url(path string) string { return "http://" + n.at().address + ":7480" + path }
func (n *Node) coap() string           { return n.at().address + ":5683" }

// get asks the node over HTTP for JSON.
func (n *Node) get(ctx context.Context, path string, into any) error {
	return n.ask(ctx, http.MethodGet, path, into)
}

func (n *Node) ask(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, n.url(path), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := n.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s: %s", n.Name, resp.Status, bytes.TrimSpace(body))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// Status is the node's own view, asked for a second at most.
func (n *Node) Status(ctx context.Context) (cluster.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var st cluster.Status
	err := n.get(ctx, "/v1/status", &st)
	return st, err
}

// Said returns the last lines of the node's log.
func (n *Node) Said(lines int) string {
	b, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// unmount takes the node's disk away at the end.
func (n *Node) unmount() error {
	if n.Disk == nil {
		return nil
	}
	return errors.Join(n.Disk.Unmount(), os.Remove(n.dir))
}
