//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is a network namespace: a machine of its own as far as addresses go.
// A nil space is the one that the tests run in.
type space struct {
	handle netns.NsHandle
	kernel *netlink.Handle
}

func newSpace(t testing.TB) *space {
	t.Helper()
	s := new(space)
	err := onThread(func() (err error) {
		s.handle, err = netns.New()
		return err
	})
	if err != nil {
		t.Fatalf("a network namespace: %v", err)
	}
	if s.kernel, err = netlink.NewHandleAt(s.handle, unix.NETLINK_ROUTE); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kernel.Close()
		s.handle.Close()
	})
	return s
}

// do runs f in the namespace. The sockets and processes that it makes stay
// there. It must not leave its goroutine.
func (s *space) do(f func() error) error {
	if s == nil {
		return f()
	}
	return onThread(func() error {
		if err := netns.Set(s.handle); err != nil {
			return err
		}
		return f()
	})
}

// onThread runs f on a thread that ends with it, and all that it changed there.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// client is an HTTP client whose connections begin in the namespace.
func (s *space) client() *http.Client {
	if s == nil {
		return http.DefaultClient
	}
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = s.do(func() (err error) {
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
			return err
		})
		return conn, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// ethernet is the name of each machine's interface.
const ethernet = "eth0"

// newLAN makes machines on one Ethernet: each has the interface eth0 with the
// address of its place in addresses.
func newLAN(t testing.TB, addresses ...string) []*space {
	t.Helper()
	hub := newSpace(t)
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
	must(t, hub.kernel.LinkAdd(bridge))
	must(t, hub.kernel.LinkSetUp(bridge))
	machines := make([]*space, len(addresses))
	for i, text := range addresses {
		m := newSpace(t)
		machines[i] = m
		port := fmt.Sprintf("port%d", i)
		must(t, hub.kernel.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: port}, PeerName: ethernet, PeerNamespace: netlink.NsFd(m.handle),
		}))
		outer, err := hub.kernel.LinkByName(port)
		must(t, err)
		must(t, hub.kernel.LinkSetMaster(outer, bridge))
		must(t, hub.kernel.LinkSetUp(outer))

		a, err := netlink.ParseAddr(text)
		must(t, err)
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		inner := m.link(t, ethernet)
		must(t, m.kernel.AddrAdd(inner, a))
		must(t, m.kernel.LinkSetUp(inner))
		must(t, m.kernel.LinkSetUp(m.link(t, "lo")))
	}
	return machines
}

func (s *space) link(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := s.kernel.LinkByName(name)
	must(t, err)
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ownSpaces says that this process may make network namespaces.
const ownSpaces = "E2E_OWN_SPACES"

// mayMakeSpaces tells whether this process may make network namespaces. Where it
// may not, it runs the test in a process that may: the root of a user namespace.
func mayMakeSpaces(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() == 0 || os.Getenv(ownSpaces) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), ownSpaces+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in a user namespace: %v: run it as root where user namespaces are not allowed", err)
	}
	t.Logf("%s", out)
	return false
}
