package link_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// inside says that this process runs in a network namespace of its own.
const inside = "SKERRY_TEST_NAMESPACE"

// TestMain runs the tests in a network namespace of their own, in a user
// namespace too where that takes no privileges.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if id := os.Geteuid(); id != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: id, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "a network namespace for the tests: %v: run them as root, or allow user namespaces\n", err)
		os.Exit(1)
	}
}

// cable is a pair of interfaces: here in this namespace, there in one of its
// own, that of the neighbour.
type cable struct {
	here  netlink.Link
	there netlink.Link
	space *netlink.Handle // of the neighbour's namespace
}

// plug makes a cable. The neighbour has the addresses given.
func plug(tb testing.TB, name string, neighbour ...string) cable {
	tb.Helper()
	at := netlink.NewLinkAttrs()
	at.Name = name
	must(tb, netlink.LinkAdd(&netlink.Veth{LinkAttrs: at, PeerName: name + "-peer"}))
	c := cable{here: find(tb, nil, name)}
	tb.Cleanup(func() { must(tb, netlink.LinkDel(c.here)) })

	space := newSpace(tb)
	must(tb, netlink.LinkSetNsFd(find(tb, nil, name+"-peer"), int(space)))
	var err error
	if c.space, err = netlink.NewHandleAt(space); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.space.Close)
	c.there = find(tb, c.space, name+"-peer")
	for _, text := range neighbour {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			tb.Fatal(err)
		}
		must(tb, c.space.AddrAdd(c.there, a))
	}
	must(tb, c.space.LinkSetUp(c.there))
	must(tb, netlink.LinkSetUp(c.here))
	return c
}

// newSpace makes a network namespace and comes back to the one of before.
func newSpace(tb testing.TB) netns.NsHandle {
	tb.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := netns.Get()
	if err != nil {
		tb.Fatal(err)
	}
	defer here.Close()
	space, err := netns.New()
	if err != nil {
		tb.Fatal(err)
	}
	must(tb, netns.Set(here))
	tb.Cleanup(func() { must(tb, space.Close()) })
	return space
}

// find is an interface of a namespace, nil for this one.
func find(tb testing.TB, space *netlink.Handle, name string) netlink.Link {
	tb.Helper()
	look := netlink.LinkByName
	if space != nil {
		look = space.LinkByName
	}
	l, err := look(name)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
