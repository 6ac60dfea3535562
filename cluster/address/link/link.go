package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// answerTimeout bounds the wait for the kernel's answer to one request.
const answerTimeout = 2 * time.Second

// leftOver is the most that an earlier process of a node can have left of a
// lifetime, in seconds. An address that stays longer is somebody else's.
const leftOver = 60

// listTries bounds the tries to list addresses that change meanwhile.
const listTries = 10

var (
	// ErrNotAllowed: the process lacks a capability.
	ErrNotAllowed = errors.New("a floating address needs the capabilities CAP_NET_ADMIN and CAP_NET_RAW: run as root, or have systemd give them with AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW")
	// ErrTaken: the machine has the address from somebody else.
	ErrTaken = errors.New("this machine has the address already: take it out of the machine's settings, the node that holds it sets it")
	// errDown: the interface has no link now.
	errDown = errors.New("the interface is down")
	// errNoEthernet: nothing can be announced there.
	errNoEthernet = errors.New("the interface has no Ethernet address to announce")
)

// Link is an address and the interface it belongs on. It is used by one
// goroutine.
type Link struct {
	name    string // of the interface
	address netip.Addr
	kernel  *netlink.Handle
	entry   netlink.Addr // as the kernel is asked to set it
	frames  int          // packet socket

	index    int // of the interface, as Up found it last
	hardware net.HardwareAddr
}

// Open finds the interface and takes off what an earlier process may have left
// there of the address. It sets nothing.
func Open(address netip.Prefix, name string) (*Link, error) {
	l := &Link{name: name, address: address.Addr(), entry: entry(address), frames: -1}
	if err := l.open(); err != nil {
		err = fmt.Errorf("floating address %s on %s: %w", address, name, err)
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Link) open() (err error) {
	if l.kernel, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	if err := l.kernel.SetSocketTimeout(answerTimeout); err != nil {
		return err
	}
	if err := l.find(); err != nil && !errors.Is(err, errDown) {
		return err
	}
	if err := l.clear(); err != nil {
		return err
	}
	l.frames, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	return allowed(err)
}

// entry is an address as the kernel is asked to set it: to be answered from,
// but deprecated, so that no connection of this machine's own begins at an
// address that may leave it. IPv6 does not ask the neighbours first whether it
// is taken (RFC 4862 section 5.4): the lease has answered that, and the question
// would cost a second.
func entry(address netip.Prefix) netlink.Addr {
	ip := address.Addr()
	e := netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(address.Bits(), ip.BitLen())}}
	if ip.Is6() {
		e.Flags = unix.IFA_F_NODAD
	}
	return e
}

// find looks the interface up; its index and hardware address change when it is
// unplugged.
func (l *Link) find() error {
	found, err := l.kernel.LinkByName(l.name)
	if err != nil {
		return fmt.Errorf("%w: ip link shows the interfaces there are", err)
	}
	at := found.Attrs()
	if len(at.HardwareAddr) != ethernetAddress {
		return errNoEthernet
	}
	l.index, l.hardware = at.Index, at.HardwareAddr
	l.entry.LinkIndex = at.Index
	if at.RawFlags&unix.IFF_UP == 0 || at.RawFlags&unix.IFF_RUNNING == 0 {
		return errDown
	}
	return nil
}

// clear takes off what a killed process left of the address. That also tells
// whether this one may.
func (l *Link) clear() error {
	all, err := l.kernel.AddrList(nil, family(l.address))
	for range listTries {
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
		all, err = l.kernel.AddrList(nil, family(l.address))
	}
	if err != nil {
		return err
	}
	for _, a := range all {
		ip, _ := netip.AddrFromSlice(a.IP)
		if ip.Unmap() == l.address && (a.Flags&unix.IFA_F_PERMANENT != 0 || a.ValidLft > leftOver) {
			return ErrTaken
		}
	}
	return l.Remove()
}

func family(a netip.Addr) int {
	if a.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// Up tells whether the interface is there and has a link.
func (l *Link) Up() bool { return l.find() == nil }

// Set puts the address on the interface for a lifetime from now, in whole
// seconds, also when it is there. Up finds the interface first.
func (l *Link) Set(lifetime time.Duration) error {
	e := l.entry
	e.ValidLft = int(lifetime / time.Second) // PreferedLft 0: deprecated
	return allowed(l.kernel.AddrReplace(nil, &e))
}

// Remove takes the address off; one that is not there is no error, nor is an
// interface that is gone.
func (l *Link) Remove() error {
	e := l.entry
	err := l.kernel.AddrDel(nil, &e)
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return allowed(err)
}

// Announce tells all neighbours that the address is at this interface.
func (l *Link) Announce() error {
	for _, p := range announcements(l.address, l.hardware) {
		to := unix.SockaddrLinklayer{Protocol: networkOrder(p.protocol), Ifindex: l.index, Halen: ethernetAddress}
		copy(to.Addr[:], p.to)
		if err := unix.Sendto(l.frames, p.body, 0, &to); err != nil {
			return fmt.Errorf("announce %s on %s: %w", l.address, l.name, err)
		}
	}
	return nil
}

// Close gives the sockets back. It leaves the address to its lifetime.
func (l *Link) Close() error {
	if l.kernel != nil {
		l.kernel.Close()
	}
	if l.frames < 0 {
		return nil
	}
	return unix.Close(l.frames)
}

// allowed puts the kernel's refusal of a process without the capability into
// words.
func allowed(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: %w", ErrNotAllowed, err)
	}
	return err
}
