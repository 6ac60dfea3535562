package datagram

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch is the most datagrams that one call receives.
const Batch = 64

// header is a struct mmsghdr: a message header, and the bytes received or sent.
type header struct {
	unix.Msghdr
	size uint32
}

// Receiver receives from one socket. It belongs to one goroutine.
type Receiver struct {
	conn     *Conn
	headers  [Batch]header
	vectors  [Batch]unix.Iovec
	names    [Batch]unix.RawSockaddrInet6 // an IPv4 one fits
	controls [Batch]control
	buffers  [Batch][]byte
	messages [Batch]Message

	receive func(fd uintptr) bool // made once, so that a call allocates nothing
	n       int
	err     error
}

// NewReceiver returns a Receiver, with 4 MiB of buffers.
func NewReceiver(c *Conn) *Receiver {
	r := &Receiver{conn: c}
	space := make([]byte, Batch*MaxSize)
	for i := range r.headers {
		r.buffers[i] = space[i*MaxSize : (i+1)*MaxSize : (i+1)*MaxSize]
		r.vectors[i].Base = &r.buffers[i][0]
		r.vectors[i].SetLen(MaxSize)
		h := &r.headers[i]
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Iov = &r.vectors[i]
		h.SetIovlen(1)
	}
	r.receive = r.try
	return r
}

// Receive waits for datagrams and returns what there is, at most Batch. They
// are the caller's until the next call. Errors: os.ErrDeadlineExceeded,
// net.ErrClosed, those of the socket.
func (r *Receiver) Receive() ([]Message, error) {
	if err := r.conn.raw.Read(r.receive); err != nil {
		return nil, err
	}
	if r.err != nil {
		return nil, r.err
	}
	for i := range r.n {
		h := &r.headers[i]
		m := &r.messages[i]
		m.Peer = peerOf(&r.names[i])
		m.Data = r.buffers[i][:h.size]
		m.Local = Local{}
		if r.conn.every {
			m.Local = localOf(r.controls[i][:h.Controllen])
		}
	}
	return r.messages[:r.n], nil
}

// try is one system call; false waits until there is something. The call never
// blocks and copies little, so Go's scheduler is not told of it. It is told of
// sending, which on a fast link runs the receiver's part of the kernel too: held
// from the other goroutines meanwhile, a core kept single messages waiting.
func (r *Receiver) try(fd uintptr) bool {
	for i := range r.headers {
		h := &r.headers[i]
		h.Namelen = unix.SizeofSockaddrInet6
		if r.conn.every {
			h.Control = &r.controls[i][0]
			h.SetControllen(len(r.controls[i]))
		}
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.headers[0])), Batch, unix.MSG_DONTWAIT, 0, 0)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false
	}
	r.n, r.err = int(n), nil
	if errno != 0 {
		r.n, r.err = 0, os.NewSyscallError("recvmmsg", errno)
	}
	return true
}
