package coap

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	readBatch     = 64       // datagrams of one system call
	writeBatch    = 256      // of sending
	maxDatagram   = 64 << 10 // bytes; UDP has no larger ones
	receiveBuffer = 4 << 20  // bytes the kernel keeps for us while we are at work
	controlSize   = 64       // bytes; a packet info fits
)

// datagram is one datagram with its address and control message. It is the
// same type for both versions of IP.
type datagram = ipv4.Message

// batchConn reads and writes several datagrams in one system call.
type batchConn interface {
	ReadBatch(ms []datagram, flags int) (int, error)
	WriteBatch(ms []datagram, flags int) (int, error)
}

// socket is a bound UDP socket. When it is bound to all addresses it learns to
// which of them a datagram came, so that the answer leaves from there.
type socket struct {
	conn    *net.UDPConn
	batch   batchConn
	anycast bool // bound to all addresses
	buffer  int  // bytes of the receive buffer that the kernel gave
}

func openSocket(addr string) (*socket, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("coap: address %q: %w", addr, err)
	}
	conn, err := net.ListenUDP("udp", at)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("coap: %s is taken by another program: stop it, or listen on another address: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("coap: listen on %s: %w", addr, err)
	}
	s := &socket{conn: conn}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("coap: listen on %s: %w", addr, err), conn.Close())
	}
	return s, nil
}

func (s *socket) prepare() error {
	local := s.conn.LocalAddr().(*net.UDPAddr)
	s.anycast = local.IP.IsUnspecified()
	var err error
	if local.IP.To4() != nil {
		conn := ipv4.NewPacketConn(s.conn)
		if s.batch = conn; s.anycast {
			err = conn.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true)
		}
	} else {
		conn := ipv6.NewPacketConn(s.conn)
		if s.batch = conn; s.anycast {
			err = conn.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true)
		}
	}
	if err != nil {
		return err
	}
	return s.enlarge()
}

// enlarge asks for the receive buffer, beyond the system's limit where this
// process may, and notes what it got.
func (s *socket) enlarge() error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
		if failed == nil {
			s.buffer, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
			s.buffer /= 2 // the kernel counts its own overhead in
		}
	})
	return errors.Join(err, failed)
}

// send writes datagrams. One that the kernel refuses is left out; it returns
// how many were.
func (s *socket) send(ms []datagram) (refused int) {
	for len(ms) > 0 {
		n, err := s.batch.WriteBatch(ms[:min(len(ms), writeBatch)], 0)
		if errors.Is(err, net.ErrClosed) {
			return refused + len(ms)
		}
		if err != nil || n <= 0 {
			refused++
			n = 1
		}
		ms = ms[n:]
	}
	return refused
}
