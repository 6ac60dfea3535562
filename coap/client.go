package coap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"skerry/coap/datagram"
	"skerry/coap/message"
)

// Errors of Client.Do.
var (
	// ErrTimeout: all copies were sent and none was answered. The request may
	// have been served.
	ErrTimeout = errors.New("coap: no answer")
	// ErrReset: the server rejected the message.
	ErrReset = errors.New("coap: the server rejected the message (RST)")
	// ErrClosed: the client is closed.
	ErrClosed = errors.New("coap: client is closed")
)

// ClientConfig are the transmission parameters of RFC 7252 section 4.8.
type ClientConfig struct {
	AckTimeout    time.Duration // the first wait, times 1 to 1.5; doubled each time
	MaxRetransmit int           // copies sent after the first
	// Wait is how long a separate response or the answer to a NON is waited for.
	Wait time.Duration
}

// DefaultClientConfig has the values of the RFC.
func DefaultClientConfig() ClientConfig {
	return ClientConfig{AckTimeout: 2 * time.Second, MaxRetransmit: 4, Wait: 93 * time.Second}
}

// ackRandomFactor spreads the first wait (RFC 7252 section 4.8).
const ackRandomFactor = 1.5

// Client talks to one server from one UDP port. Any number of goroutines may
// call Do at once.
type Client struct {
	cfg  ClientConfig
	conn net.Conn
	done chan struct{} // closed when the receiver has ended

	askAgain time.Duration // see askAgainAfter

	mu      sync.Mutex
	waiting map[uint64]*inquiry // by token
	byID    map[uint16]*inquiry
	seen    map[uint64]*sight // what is observed, by token
	token   uint64
	id      uint16
	closed  bool
}

// inquiry is a request that waits for its answer.
type inquiry struct {
	token  uint64
	id     uint16
	acked  chan struct{} // closed by an empty ACK: the response comes later
	answer chan result   // holds one
	got    bool          // acked is closed; guarded by Client.mu
}

type result struct {
	response Response
	err      error
}

// Dial opens a client to a target as ParseTarget reads it. It sends nothing.
func Dial(target string, cfg ClientConfig) (*Client, error) {
	addr, err := ParseTarget(target)
	if err != nil {
		return nil, err
	}
	if cfg == (ClientConfig{}) {
		cfg = DefaultClientConfig()
	}
	if cfg.AckTimeout <= 0 || cfg.MaxRetransmit < 0 || cfg.Wait <= 0 {
		return nil, errors.New("coap: AckTimeout and Wait must be above 0, MaxRetransmit at least 0")
	}
	conn, err := net.Dial("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("coap: dial %s: %w", addr, err)
	}
	c := &Client{
		cfg: cfg, conn: conn, done: make(chan struct{}),
		waiting: map[uint64]*inquiry{}, byID: map[uint16]*inquiry{}, seen: map[uint64]*sight{},
		askAgain: askAgainAfter,
		token:    rand.Uint64(), id: uint16(rand.Uint32()),
	}
	go c.receive()
	return c, nil
}

// Close ends the client; calls of Do return ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.conn.Close()
	<-c.done
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("coap: close: %w", err)
	}
	return nil
}

// exchange sends one message and returns the answer. A CON is sent again as RFC
// 7252 section 4.2 says, each time as the same datagram.
func (c *Client) exchange(ctx context.Context, r *Request, p *parts) (Response, error) {
	x, err := c.begin(p.token)
	if err != nil {
		return Response{}, err
	}
	defer c.end(x)
	datagram, err := appendPart(nil, x.id, tokenOf(x.token), r, p)
	if err != nil {
		return Response{}, fmt.Errorf("coap: %w", err)
	}
	if r.Unconfirmed {
		if err := c.send(datagram); err != nil {
			return Response{}, err
		}
		return c.await(ctx, x, c.cfg.Wait)
	}
	wait := time.Duration(float64(c.cfg.AckTimeout) * (1 + rand.Float64()*(ackRandomFactor-1)))
	for range 1 + c.cfg.MaxRetransmit {
		if err := c.send(datagram); err != nil {
			return Response{}, err
		}
		response, err := c.awaitAck(ctx, x, wait)
		if !errors.Is(err, ErrTimeout) {
			return response, err
		}
		wait *= 2
	}
	return Response{}, ErrTimeout
}

// tokenOf is a token as it is sent.
func tokenOf(token uint64) []byte { return binary.BigEndian.AppendUint64(nil, token) }

// send writes one datagram. That nobody listens is no error: the server may be
// starting, and the next copy finds out.
func (c *Client) send(datagram []byte) error {
	if _, err := c.conn.Write(datagram); errors.Is(err, net.ErrClosed) {
		return ErrClosed
	}
	return nil
}

// awaitAck waits for the answer, and longer once an empty ACK has promised it.
func (c *Client) awaitAck(ctx context.Context, x *inquiry, wait time.Duration) (Response, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case a := <-x.answer:
		return a.response, a.err
	case <-x.acked:
		return c.await(ctx, x, c.cfg.Wait)
	case <-timer.C:
		return Response{}, ErrTimeout
	case <-ctx.Done():
		return Response{}, ctx.Err()
	}
}

func (c *Client) await(ctx context.Context, x *inquiry, wait time.Duration) (Response, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case a := <-x.answer:
		return a.response, a.err
	case <-timer.C:
		return Response{}, ErrTimeout
	case <-ctx.Done():
		return Response{}, ctx.Err()
	}
}

// begin begins an exchange with a token, 0 for a new one.
func (c *Client) begin(token uint64) (*inquiry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if token == 0 {
		token = c.nextToken()
	}
	c.id++
	x := &inquiry{token: token, id: c.id, acked: make(chan struct{}), answer: make(chan result, 1)}
	c.waiting[x.token] = x
	c.byID[x.id] = x
	return x, nil
}

// nextToken is one that no exchange had; mu is held.
func (c *Client) nextToken() uint64 {
	if c.token++; c.token == 0 {
		c.token++
	}
	return c.token
}

func (c *Client) end(x *inquiry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, x.token)
	if c.byID[x.id] == x {
		delete(c.byID, x.id)
	}
}

// receive hands answers to those who wait, until the socket is closed.
func (c *Client) receive() {
	defer close(c.done)
	buf := make([]byte, datagram.MaxSize)
	var m message.Message
	for {
		n, err := c.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			c.fail(ErrClosed)
			return
		}
		if err != nil {
			continue // an ICMP error: the copies go on
		}
		var reply []byte
		switch kind, _ := message.Parse(buf[:n], &m); kind {
		case message.Reset: // a ping, which asks whether this client is at its address
			reply = empty(message.RST, m.ID)
		case message.Response:
			reply = c.match(&m)
		}
		if reply != nil {
			_ = c.send(reply)
		}
	}
}

// empty encodes an Empty message.
func empty(kind message.Type, id uint16) []byte {
	m := message.Message{Type: kind, ID: id}
	b, err := m.Append(nil)
	if err != nil {
		panic(err) // it always has an encoding
	}
	return b
}

// match finds who waits for a message. It returns what must be sent back: the
// ACK of a separate response or a notification, or the RST of a notification.
func (c *Client) match(m *message.Message) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Type == message.RST || m.Type == message.ACK && m.Code == message.Empty {
		x := c.byID[m.ID]
		switch {
		case x == nil:
		case m.Type == message.RST:
			x.settle(result{err: ErrReset})
		case !x.got:
			x.got = true
			close(x.acked)
		}
		return nil
	}
	known := len(m.Token) == 8 && c.hand(binary.BigEndian.Uint64(m.Token), m)
	switch {
	case m.Type == message.ACK:
		return nil
	case !known && isNotification(m): // nobody here observes that any more
		return empty(message.RST, m.ID)
	case m.Type == message.NON:
		return nil
	}
	return empty(message.ACK, m.ID)
}

// hand gives a response to who waits for its token, or observes with it; false
// for nobody. mu is held.
func (c *Client) hand(token uint64, m *message.Message) bool {
	x, s := c.waiting[token], c.seen[token]
	switch {
	case x != nil && x.settle(result{response: responseOf(m)}):
	case s != nil:
		s.put(responseOf(m))
	}
	return x != nil || s != nil
}

// settle gives the first answer; later copies are dropped, and it returns false.
func (x *inquiry) settle(r result) bool {
	select {
	case x.answer <- r:
		return true
	default:
		return false
	}
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.waiting {
		x.settle(result{err: err})
	}
	for _, s := range c.seen {
		close(s.closed)
	}
}
