package faultsite

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolated says that this process has its network for itself.
const isolated = "SKERRY_FAULTSITE_ISOLATED"

// subnet holds the machines' addresses; the laboratory itself is at .254.
const subnet = "10.77.0."

// Isolate runs the program again in a network namespace of its own and returns
// its exit code; done is false in that second process, which is to go on.
func Isolate() (code int, done bool, err error) {
	if os.Getenv(isolated) != "" {
		return 0, false, layEthernet()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), isolated+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // which the second process lives and dies with
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), true, nil
	}
	return 0, true, err
}

// layEthernet makes the bridge that the machines are plugged into.
func layEthernet() error {
	for _, words := range []string{
		"link set lo up",
		"link add br0 type bridge",
		"addr add " + subnet + "254/24 dev br0",
		"link set br0 up",
	} {
		if err := run("ip", strings.Fields(words)...); err != nil {
			return err
		}
	}
	return nil
}

// run runs a program to its end; its error holds what it said.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// machine is a network namespace with one interface on the Ethernet, and a thread
// that lives there as long as the laboratory does.
type machine struct {
	address string // without port
	jobs    chan func()
}

// newMachine makes the machine with the number i, 1 and up.
func newMachine(i int) (*machine, error) {
	m := &machine{address: fmt.Sprint(subnet, i), jobs: make(chan func())}
	space := make(chan string, 1)
	failed := make(chan error, 1)
	go func() { // ends with the process
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			failed <- fmt.Errorf("a network namespace: %w: run it as root", err)
			return
		}
		space <- fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		for job := range m.jobs {
			job()
		}
	}()
	var path string
	select {
	case path = <-space:
	case err := <-failed:
		return nil, err
	}
	port := fmt.Sprint("port", i)
	for _, words := range []string{
		"link add " + port + " type veth peer name eth0 netns " + path,
		"link set " + port + " master br0 up",
	} {
		if err := run("ip", strings.Fields(words)...); err != nil {
			return nil, err
		}
	}
	for _, words := range []string{"link set lo up", "addr add " + m.address + "/24 dev eth0", "link set eth0 up"} {
		if err := m.do(func() error { return run("ip", strings.Fields(words)...) }); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// do runs f where the machine's network is. Processes it starts stay there, and
// may be told to die with the machine (Pdeathsig).
func (m *machine) do(f func() error) error {
	done := make(chan error, 1)
	m.jobs <- func() { done <- f() }
	return <-done
}

// deafen has the machine drop all that comes from another.
func (m *machine) deafen(to *machine) error {
	return m.do(func() error { return run("iptables", "-w", "-A", "INPUT", "-s", to.address, "-j", "DROP") })
}

// hear ends all deafness.
func (m *machine) hear() error {
	return m.do(func() error { return run("iptables", "-w", "-F", "INPUT") })
}
