package gossip

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/hashicorp/memberlist"
)

// bindTries is how often a port is asked for that is free for UDP and for TCP.
const bindTries = 10

// transport is memberlist's own, but for connections: they end when ctx is done, so
// that a node that stops waits for no peer that hangs.
type transport struct {
	*memberlist.NetTransport
	ctx context.Context
}

func listen(ctx context.Context, host string, port int, l *log.Logger) (*transport, error) {
	tries := 1
	if port == 0 {
		tries = bindTries
	}
	var err error
	for range tries {
		var t *memberlist.NetTransport
		t, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{host}, BindPort: port, Logger: l})
		if err == nil {
			return &transport{NetTransport: t, ctx: ctx}, nil
		}
	}
	return nil, fmt.Errorf("listen: %w", err)
}

// DialTimeout is memberlist.Transport's.
func (t *transport) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: address}, timeout)
}

// DialAddressTimeout is memberlist.NodeAwareTransport's.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	c, err := d.DialContext(t.ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, release: context.AfterFunc(t.ctx, func() { _ = c.Close() })}, nil
}

type conn struct {
	net.Conn
	release func() bool
}

func (c *conn) Close() error {
	c.release()
	return c.Conn.Close()
}
