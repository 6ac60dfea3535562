// Package datagram is a UDP socket that receives and sends many datagrams with
// one system call each (recvmmsg and sendmmsg of Linux) and allocates nothing
// per datagram. A socket that is bound to all addresses says to which of them a
// datagram came, so that the answer can leave from there.
package datagram

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// MaxSize is the size of the largest datagrams of UDP, in bytes.
	MaxSize = 64 << 10
	// ReceiveBuffer is what a socket asks the kernel to keep for it while it is
	// at work, in bytes.
	ReceiveBuffer = 4 << 20
)

// Message is a datagram with its addresses.
type Message struct {
	Peer  netip.AddrPort // IPv4 as itself, not mapped; the zone is an interface's index
	Local Local
	Data  []byte
}

// Local is where a datagram came to or leaves from, as far as a socket for all
// addresses has a choice. The zero value leaves the choice to the kernel.
type Local struct {
	Addr      netip.Addr // of this host, never a group's
	Interface int32      // index, 0 for any
	Group     bool       // the datagram was sent to a multicast group
}

// Conn is a bound UDP socket. One goroutine may receive while any number send,
// each with a Sender of its own.
type Conn struct {
	conn   *net.UDPConn
	raw    syscall.RawConn
	six    bool // an IPv6 socket, which may carry IPv4 in mapped addresses
	every  bool // bound to all addresses
	buffer int  // bytes of the receive buffer that the kernel gave
}

// Listen binds addr, host:port; all addresses of both families when the host
// is empty.
func Listen(addr string) (*Conn, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", at)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program: stop it, or listen on another address: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	c := &Conn{conn: conn}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", addr, err), conn.Close())
	}
	return c, nil
}

func (c *Conn) prepare() error {
	local := c.Addr()
	c.six = local.IP.To4() == nil
	c.every = local.IP.IsUnspecified()
	var err error
	if c.raw, err = c.conn.SyscallConn(); err != nil {
		return err
	}
	var failed error
	err = c.raw.Control(func(fd uintptr) {
		if c.every {
			failed = c.learnLocal(int(fd))
		}
		failed = errors.Join(failed, c.enlarge(int(fd)))
	})
	return errors.Join(err, failed)
}

// learnLocal has the kernel tell where datagrams came to.
func (c *Conn) learnLocal(fd int) error {
	if c.six {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}

// enlarge asks for the receive buffer, beyond the system's limit where this
// process may, and notes what it got.
func (c *Conn) enlarge(fd int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, ReceiveBuffer) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, ReceiveBuffer); err != nil {
			return err
		}
	}
	doubled, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	c.buffer = doubled / 2 // the kernel counts its own overhead in
	return err
}

// Addr is the address that the socket is bound to.
func (c *Conn) Addr() *net.UDPAddr { return c.conn.LocalAddr().(*net.UDPAddr) }

// Buffer is the size of the receive buffer that the kernel gave, in bytes.
func (c *Conn) Buffer() int { return c.buffer }

// UDP is the socket itself, for its options and its deadlines.
func (c *Conn) UDP() *net.UDPConn { return c.conn }

// Close ends the socket; Receive and Send return net.ErrClosed.
func (c *Conn) Close() error { return c.conn.Close() }
