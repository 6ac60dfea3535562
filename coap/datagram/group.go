package datagram

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Join has a socket that is bound to all addresses hear what is sent to a
// multicast group on an interface. To join again is no error. What others of
// this host joined is not heard.
func (c *Conn) Join(group netip.Addr, index int) error {
	var failed error
	err := c.raw.Control(func(fd uintptr) { failed = join(int(fd), group, index) })
	return errors.Join(err, failed)
}

// ListenGroup binds a group's address and port and hears what is sent there on
// one interface. Other sockets, of other programs too, may do the same. Package
// net would bind all addresses instead, which a socket of that port forbids.
func ListenGroup(group netip.AddrPort, index int) (*net.UDPConn, error) {
	conn, err := listenGroup(group, index)
	if err != nil {
		return nil, fmt.Errorf("listen to the group %s: %w", group, err)
	}
	return conn, nil
}

func listenGroup(group netip.AddrPort, index int) (*net.UDPConn, error) {
	domain, at := nameOf(group, index)
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "group")
	defer file.Close() // FilePacketConn has a descriptor of its own
	err = errors.Join(
		os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)),
		join(fd, group.Addr(), index),
		os.NewSyscallError("bind", unix.Bind(fd, at)),
	)
	if err != nil {
		return nil, err
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// nameOf is a group's address as the kernel is told it.
func nameOf(group netip.AddrPort, index int) (domain int, at unix.Sockaddr) {
	port := int(group.Port())
	if group.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: group.Addr().As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: port, Addr: group.Addr().As16(), ZoneId: uint32(index)}
}

// join makes a socket a member of a group on an interface, and deaf to groups
// that only others joined.
func join(fd int, group netip.Addr, index int) error {
	var all, err error
	if group.Is4() {
		all = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0)
		err = unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)})
	} else {
		all = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0)
		err = unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)})
	}
	if errors.Is(all, unix.ENOPROTOOPT) || errors.Is(all, unix.EINVAL) {
		all = nil // a kernel from before it can be deaf to them
	}
	if errors.Is(err, unix.EADDRINUSE) {
		err = nil // a member already
	}
	if err = errors.Join(all, err); err != nil {
		return fmt.Errorf("join the group %s: %w", group, err)
	}
	return nil
}
