package link_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"skerry/cluster/address"
	"skerry/cluster/address/link"
)

// patience bounds the wait for what the kernel does at once.
const patience = 5 * time.Second

// TestTheKernelTakesAnAddressOffInTime holds address.KernelLate against this
// kernel: alone, and when another address makes the kernel look just before the
// lifetime ends, which puts its next look off by a second.
func TestTheKernelTakesAnAddressOffInTime(t *testing.T) {
	tests := []struct {
		name, floating string
		other          string        // set at a moment of the lifetime
		at             time.Duration // 0 for never
	}{
		{"an IPv4 address alone", "10.1.0.100/24", "", 0},
		{"an IPv6 address alone", "fd00:1::100/64", "", 0},
		{"an IPv4 address beside another", "10.2.0.100/24", "10.2.1.1/24", 960 * time.Millisecond},
		{"an IPv6 address beside another", "fd00:2::100/64", "fd00:2:1::1/64", 960 * time.Millisecond},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := fmt.Sprintf("late%d", i)
			plug(t, name)
			l := open(t, test.floating, name)
			if !l.Up() {
				t.Fatal("the interface is down, want it up")
			}
			must(t, l.Set(time.Second))
			set := time.Now()
			if !has(t, test.floating) {
				t.Fatal("the address is not there after it was set")
			}
			if test.at > 0 {
				<-time.After(time.Until(set.Add(test.at)))
				setFor(t, name, test.other, 3600)
			}
			eventually(t, "the address is gone", func() bool { return !has(t, test.floating) })
			late := time.Since(set.Add(time.Second))
			t.Logf("gone %s after its lifetime", late)
			if late > address.KernelLate {
				t.Errorf("the kernel took the address off %s late, want at most %s", late, address.KernelLate)
			}
		})
	}
}

func TestAnAddressThatIsSetAgainStays(t *testing.T) {
	plug(t, "stay0")
	l := open(t, "10.3.0.100/24", "stay0")
	for range 4 {
		if !l.Up() {
			t.Fatal("the interface is down, want it up")
		}
		must(t, l.Set(time.Second))
		<-time.After(600 * time.Millisecond)
		if !has(t, "10.3.0.100/24") {
			t.Fatal("the address went although its lifetime was renewed")
		}
	}
	must(t, l.Remove())
	if has(t, "10.3.0.100/24") {
		t.Error("the address is there after it was taken off")
	}
	must(t, l.Remove())
}

// TestNeighboursLearnWhereAnAddressIs has a neighbour that remembers another
// hardware address; its kernel decides whether it heeds what was announced.
func TestNeighboursLearnWhereAnAddressIs(t *testing.T) {
	tests := []struct{ name, floating, neighbour string }{
		{"an IPv4 neighbour", "10.4.0.100/24", "10.4.0.2/24"},
		{"an IPv6 neighbour", "fd00:4::100/64", "fd00:4::2/64"},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := fmt.Sprintf("tell%d", i)
			c := plug(t, name, test.neighbour)
			floating := netip.MustParsePrefix(test.floating).Addr()
			l := open(t, test.floating, name)
			stale := netlink.Neigh{
				LinkIndex: c.there.Attrs().Index, State: netlink.NUD_STALE, IP: floating.AsSlice(),
				HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 9},
			}
			must(t, c.space.NeighSet(&stale))
			eventually(t, "the interface is up", l.Up)
			must(t, l.Set(30*time.Second))
			eventually(t, "the neighbour learns the new hardware address", func() bool {
				must(t, l.Announce())
				list, err := c.space.NeighList(c.there.Attrs().Index, 0)
				must(t, err)
				for _, n := range list {
					if n.IP.Equal(stale.IP) {
						return bytes.Equal(n.HardwareAddr, c.here.Attrs().HardwareAddr)
					}
				}
				return false
			})
		})
	}
}

func TestOpenLooksAtWhatThereIs(t *testing.T) {
	plug(t, "open0")
	setFor(t, "open0", "10.5.0.1/24", 0)
	setFor(t, "open0", "10.5.0.2/24", 3600)
	setFor(t, "open0", "10.5.0.3/24", 20)
	tests := []struct {
		name, floating, on string
		want               error  // nil for none
		says               string // in the error
	}{
		{"an address that the machine has for good is refused", "10.5.0.1/24", "open0", link.ErrTaken, ""},
		{"so is one that somebody else leased", "10.5.0.2/24", "open0", link.ErrTaken, ""},
		{"an interface that is not there is named", "10.5.0.4/24", "open9", nil, "open9"},
		{"what a killed process left is taken off", "10.5.0.3/24", "open0", nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := link.Open(netip.MustParsePrefix(test.floating), test.on)
			switch {
			case test.want == nil && test.says == "":
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				if has(t, test.floating) {
					t.Error("it is still there")
				}
			case test.want != nil && !errors.Is(err, test.want):
				t.Errorf("got error %v, want %v", err, test.want)
			case err == nil || !strings.Contains(err.Error(), test.says):
				t.Errorf("got error %v, want one that says %q", err, test.says)
			}
		})
	}
}

func TestAnInterfaceWithoutACableIsDown(t *testing.T) {
	c := plug(t, "down0")
	l := open(t, "10.6.0.100/24", "down0")
	eventually(t, "the interface is up", l.Up)
	must(t, c.space.LinkSetDown(c.there))
	eventually(t, "the interface is down", func() bool { return !l.Up() })
}

// open opens a link of the test.
func open(tb testing.TB, floating, name string) *link.Link {
	tb.Helper()
	l, err := link.Open(netip.MustParsePrefix(floating), name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { must(tb, l.Close()) })
	return l
}

// setFor sets an address for some seconds, 0 for good.
func setFor(tb testing.TB, name, text string, seconds int) {
	tb.Helper()
	a, err := netlink.ParseAddr(text)
	if err != nil {
		tb.Fatal(err)
	}
	a.ValidLft, a.PreferedLft = seconds, seconds
	must(tb, netlink.AddrAdd(find(tb, nil, name), a))
}

// has tells whether this namespace has the address.
func has(tb testing.TB, text string) bool {
	tb.Helper()
	all, err := net.InterfaceAddrs()
	must(tb, err)
	for _, a := range all {
		if a.String() == text {
			return true
		}
	}
	return false
}

func eventually(tb testing.TB, what string, look func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !look(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("after %s it does not hold that %s", patience, what)
		}
	}
}

func TestAProcessWithoutTheCapabilityIsToldWhichItNeeds(t *testing.T) {
	plug(t, "bare0")
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, bare as it is
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &make([]unix.CapUserData, 2)[0]); err != nil {
			opened <- err
			return
		}
		_, err := link.Open(netip.MustParsePrefix("10.7.0.100/24"), "bare0")
		opened <- err
	}()
	if err := <-opened; !errors.Is(err, link.ErrNotAllowed) {
		t.Errorf("got error %v, want %v", err, link.ErrNotAllowed)
	}
}
