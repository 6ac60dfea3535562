package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// accepted is a connection of a peer, which Close ends.
type accepted struct {
	net.Conn
	t *TCP
}

// Close is net.Conn's.
func (a accepted) Close() error {
	a.t.mu.Lock()
	delete(a.t.conns, a.Conn)
	a.t.mu.Unlock()
	return a.Conn.Close()
}

// keep lists an accepted connection; after Close it closes it.
func (t *TCP) keep(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		_ = c.Close()
		return false
	}
	t.conns[c] = struct{}{}
	return true
}

// beginCall counts a handler; false after Close.
func (t *TCP) beginCall() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return false
	}
	t.calls.Add(1)
	return true
}

func (t *TCP) closeAccepted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for c := range t.conns {
		_ = c.Close() // the peer sees a broken connection
	}
	clear(t.conns)
}

// accept takes connections until Close. It reads at most maxAccepting prefaces
// at once, each within prefaceTimeout.
func (t *TCP) accept() {
	slots := make(chan struct{}, maxAccepting)
	for {
		c, err := t.listener.Accept()
		if err != nil {
			select {
			case <-t.closed:
				return
			case <-time.After(50 * time.Millisecond): // out of file descriptors, say
				continue
			}
		}
		select {
		case slots <- struct{}{}:
		case <-t.closed:
			_ = c.Close()
			return
		}
		if !t.keep(c) {
			return
		}
		t.wg.Go(func() {
			defer func() { <-slots }()
			t.greet(accepted{c, t})
		})
	}
}

// greet reads a connection's preface and passes it on, or closes it.
func (t *TCP) greet(c net.Conn) {
	kind, err := t.readPreface(c)
	if err != nil {
		_ = c.Close()
		return
	}
	to := t.httpConn
	if kind == 'R' {
		to = t.raftConn
	}
	select {
	case to <- c:
	case <-t.closed:
		_ = c.Close()
	}
}

func (t *TCP) readPreface(c net.Conn) (byte, error) {
	if err := c.SetDeadline(time.Now().Add(prefaceTimeout)); err != nil {
		return 0, err
	}
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, err
	}
	id := make([]byte, head[1])
	if _, err := io.ReadFull(c, id); err != nil {
		return 0, err
	}
	if head[0] != 'R' && head[0] != 'H' {
		return 0, fmt.Errorf("preface of unknown kind %q", head[0])
	}
	if raft.ServerID(id) != t.id {
		_, err := c.Write([]byte{1})
		return 0, errors.Join(ErrWrongServer, err)
	}
	if _, err := c.Write([]byte{0}); err != nil {
		return 0, err
	}
	return head[0], c.SetDeadline(time.Time{})
}

// connListener is the net.Listener of one kind of connection.
type connListener struct {
	t     *TCP
	conns chan net.Conn
}

func (l *connListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.t.closed:
		return nil, net.ErrClosed
	}
}

func (l *connListener) Close() error   { return nil }
func (l *connListener) Addr() net.Addr { return l.t.listener.Addr() }
