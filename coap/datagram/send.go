package datagram

import (
	"errors"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendBatch is the most datagrams that one system call sends.
const sendBatch = 256

// Sender sends over one socket. It belongs to one goroutine at a time.
type Sender struct {
	conn     *Conn
	headers  []header
	vectors  []unix.Iovec
	names    []unix.RawSockaddrInet6
	controls []control

	send func(fd uintptr) bool // made once
	from int                   // first header to send
	to   int
	n    int
	err  error
}

// NewSender returns a Sender, which grows with what it sends.
func NewSender(c *Conn) *Sender {
	s := &Sender{conn: c}
	s.send = s.try
	return s
}

// Send sends datagrams; it waits while the kernel has no room. One that the
// kernel refuses is left out; it returns how many were.
func (s *Sender) Send(ms []Message) (refused int) {
	for len(ms) > 0 {
		n := min(len(ms), sendBatch)
		refused += s.sendSome(ms[:n])
		ms = ms[n:]
	}
	return refused
}

func (s *Sender) sendSome(ms []Message) (refused int) {
	s.prepare(ms)
	for s.from, s.to = 0, len(ms); s.from < s.to; s.from += s.n {
		err := s.conn.raw.Write(s.send)
		if errors.Is(err, net.ErrClosed) {
			return refused + s.to - s.from
		}
		if err != nil || s.err != nil || s.n <= 0 {
			refused++
			s.n = 1
		}
	}
	return refused
}

// prepare fills the headers of messages.
func (s *Sender) prepare(ms []Message) {
	if len(s.headers) < len(ms) {
		n := min(sendBatch, max(2*len(s.headers), len(ms)))
		s.headers, s.vectors = make([]header, n), make([]unix.Iovec, n)
		s.names, s.controls = make([]unix.RawSockaddrInet6, n), make([]control, n)
	}
	for i := range ms {
		m, h := &ms[i], &s.headers[i]
		*h = header{}
		h.Name = (*byte)(unsafe.Pointer(&s.names[i]))
		h.Namelen = putPeer(&s.names[i], m.Peer, s.conn.six)
		s.vectors[i] = unix.Iovec{}
		if len(m.Data) > 0 {
			s.vectors[i].Base = &m.Data[0]
			s.vectors[i].SetLen(len(m.Data))
		}
		h.Iov = &s.vectors[i]
		h.SetIovlen(1)
		if n := s.controls[i].put(m.Local, s.conn.six); n > 0 {
			h.Control = &s.controls[i][0]
			h.SetControllen(n)
		}
	}
}

// try is one system call; false waits until the kernel has room.
func (s *Sender) try(fd uintptr) bool {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&s.headers[s.from])), uintptr(s.to-s.from), unix.MSG_DONTWAIT, 0, 0)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false
	}
	s.n, s.err = int(n), nil
	if errno != 0 {
		s.n, s.err = 0, os.NewSyscallError("sendmmsg", errno)
	}
	return true
}
