package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"skerry/cmd/skerry/client"
)

// stopTimeout is how long a node may take to stop cleanly before it is killed.
const stopTimeout = 30 * time.Second

// Node is one node's process, running or not. Its methods may be used by
// several goroutines.
type Node struct {
	Name      string
	Addresses Addresses
	Dir       string // data directory
	Log       string // file of what it says, of all its lives

	args    []string
	exe     string
	spawner *spawner
	client  *client.Client
	failed  chan<- error // takes one: a node of the site ended by itself

	mu      sync.Mutex
	process *os.Process   // nil while it is down
	told    bool          // process was told to end
	exited  chan struct{} // closed when process has been waited for
	exit    error         // how it ended, valid when exited is closed
}

// Client asks this node over HTTP.
func (n *Node) Client() *client.Client { return n.client }

// PID is the node's process id, 0 while it is down.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return 0
	}
	return n.process.Pid
}

// Start starts the process and returns at once; see WaitReady.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		return fmt.Errorf("node %s is running already", n.Name)
	}
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start node %s: %w", n.Name, err)
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(n.exe, n.args...)
	cmd.Args[0] = programName
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = log, log
	if err := n.spawner.start(cmd); err != nil {
		return fmt.Errorf("start node %s: %w", n.Name, err)
	}
	exited := make(chan struct{})
	n.process, n.told, n.exited, n.exit = cmd.Process, false, exited, nil
	go func() { // ends with the process, which Kill, Stop and Site.Close wait for
		n.ended(cmd.Wait())
		close(exited)
	}()
	return nil
}

// ended notes how the process ended.
func (n *Node) ended(err error) {
	n.mu.Lock()
	told := n.told
	n.process, n.exit = nil, err
	n.mu.Unlock()
	if told {
		return
	}
	select {
	case n.failed <- fmt.Errorf("node %s ended by itself: %s: see %s", n.Name, n.lastWords(), n.Log):
	default: // another node was first
	}
}

// Kill ends the process with SIGKILL and returns when it is gone.
func (n *Node) Kill() error { return n.signal(syscall.SIGKILL, stopTimeout) }

// Stop ends the process, if there is one, with SIGTERM, or with SIGKILL when
// that took more than half a minute, which is an error.
func (n *Node) Stop() error {
	if n.PID() == 0 {
		return nil
	}
	err := n.signal(syscall.SIGTERM, stopTimeout)
	if err != nil {
		return errors.Join(err, n.Kill())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.exit != nil {
		return fmt.Errorf("node %s stopped with %w: see %s", n.Name, n.exit, n.Log)
	}
	return nil
}

func (n *Node) signal(sig syscall.Signal, timeout time.Duration) error {
	n.mu.Lock()
	process, exited := n.process, n.exited
	n.told = true
	n.mu.Unlock()
	if process == nil {
		return nil
	}
	if err := process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal node %s: %w", n.Name, err)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-exited:
		return nil
	case <-timer.C:
		return fmt.Errorf("node %s did not end in %s: see %s", n.Name, timeout, n.Log)
	}
}

// WaitReady returns when the node serves, or with the last words of its log
// when it has ended instead.
func (n *Node) WaitReady(ctx context.Context) error {
	n.mu.Lock()
	exited := n.exited
	n.mu.Unlock()
	err := poll(ctx, func() (bool, error) {
		select {
		case <-exited:
			return false, fmt.Errorf("node %s ended: %s", n.Name, n.lastWords())
		default:
			return n.client.Ready(ctx) == nil, nil
		}
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("node %s is not ready: %w: see %s", n.Name, err, n.Log)
	}
	return err
}

// lastWords is the last line of the node's log.
func (n *Node) lastWords() string {
	b, err := os.ReadFile(n.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// environment is this process's without SKERRY_ variables: what the nodes get
// is on their command lines.
func environment() []string {
	env := make([]string, 0, len(os.Environ()))
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SKERRY_") {
			env = append(env, v)
		}
	}
	return env
}

// newNode prepares node i of a site.
func newNode(cfg Config, i int, all []Addresses, exe string, s *Site) (*Node, error) {
	name := "n" + strconv.Itoa(i+1)
	n := &Node{
		Name: name, Addresses: all[i], exe: exe, spawner: s.spawner, failed: s.failed,
		Dir: filepath.Join(cfg.Dir, name), Log: filepath.Join(cfg.Dir, name+".log"),
	}
	gossip := make([]string, len(all))
	for j, a := range all {
		gossip[j] = a.Gossip
	}
	n.args = append([]string{"agent", "--dev",
		"--name", name, "--site", cfg.Site, "--data", n.Dir,
		"--http", n.Addresses.HTTP, "--coap", n.Addresses.CoAP,
		"--cluster", n.Addresses.Cluster, "--gossip", n.Addresses.Gossip, "--advertise", "127.0.0.1",
		"--bootstrap-expect", strconv.Itoa(len(all)), "--join", strings.Join(gossip, ","),
		"--cloud", cfg.Cloud,
	}, cfg.Args...)
	n.args = append(n.args, cfg.NodeArgs[name]...)
	var err error
	n.client, err = client.New(client.Config{Addr: "http://" + n.Addresses.HTTP})
	return n, err
}
