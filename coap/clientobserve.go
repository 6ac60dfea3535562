package coap

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"skerry/coap/block"
	"skerry/coap/message"
)

const (
	// A client that heard nothing while a notification was fresh, and as long as
	// one may be delayed, asks again (RFC 7641 section 3.3.1).
	askAgainAfter  = 5 * time.Second
	askAgainSpread = 2 // times that, at random
	// orderedFor is how long sequence numbers tell the older from the newer (RFC
	// 7641 section 3.4).
	orderedFor = 128 * time.Second
)

// sight is what one of a client's tokens observes.
type sight struct {
	token    uint64
	news     chan Response // the latest notification, if it was not taken yet
	closed   chan struct{} // closed with the client
	sequence uint32        // of the last one that was not too old; guarded by Client.mu
	at       time.Time     // when that came; zero for none
}

// Observe asks for a representation, and then again and again yields the one
// that has taken its place (RFC 7641). Not all of them: who is slow sees the
// latest. When a server is silent for longer than its answer was fresh, it is
// asked again. It ends when the consumer has enough, with an error (those of Do),
// or after an answer that cannot be observed, or not any more: Response.Err says
// whether it is one.
func (c *Client) Observe(ctx context.Context, r Request) iter.Seq2[Response, error] {
	return func(yield func(Response, error) bool) {
		s, err := c.watch()
		if err != nil {
			yield(Response{}, err)
			return
		}
		defer c.unwatch(s)
		for again := true; again; {
			response, err := c.converse(ctx, &r, &parts{token: s.token, observe: value(observeBegin)})
			if err != nil {
				yield(Response{}, err)
				return
			}
			c.mu.Lock()
			s.fresh(&response)
			c.mu.Unlock()
			again = c.follow(ctx, s, &r, response, yield)
		}
	}
}

// follow yields a response and the notifications after it. It returns true when
// the server has to be asked again.
func (c *Client) follow(ctx context.Context, s *sight, r *Request, next Response, yield func(Response, error) bool) bool {
	for {
		whole, err := c.whole(ctx, r, next)
		switch {
		case errors.Is(err, ErrChanged): // the next notification is on its way
		case err != nil:
			yield(Response{}, err)
			return false
		case !yield(whole, nil):
			c.cancel(s, r)
			return false
		}
		if next.observe == nil {
			return false
		}
		fresh := max(next.MaxAge, time.Second) + c.askAgain + rand.N(c.askAgain*askAgainSpread)
		timer := time.NewTimer(fresh)
		select {
		case next = <-s.news:
			timer.Stop()
		case <-timer.C:
			return true
		case <-s.closed:
			yield(Response{}, ErrClosed)
			return false
		case <-ctx.Done():
			timer.Stop()
			c.cancel(s, r)
			yield(Response{}, ctx.Err())
			return false
		}
	}
}

// whole reads the blocks of a notification after its first one (RFC 7959
// section 2.6).
func (c *Client) whole(ctx context.Context, r *Request, first Response) (Response, error) {
	if first.Code.Class() != 2 || first.block2 == nil || !first.block2.More {
		return first, nil
	}
	t := transfer{c: c, r: r, szx: block.MaxSZX}
	return t.rest(ctx, first)
}

// cancel tells the server that nobody observes any more. If that gets lost, the
// next notification is rejected.
func (c *Client) cancel(s *sight, r *Request) {
	end := *r
	end.Unconfirmed = true
	c.mu.Lock()
	c.id++
	id := c.id
	c.mu.Unlock()
	b, err := appendPart(nil, id, tokenOf(s.token), &end, &parts{observe: value(observeEnd)})
	if err == nil {
		_ = c.send(b)
	}
}

func (c *Client) watch() (*sight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	s := &sight{token: c.nextToken(), news: make(chan Response, 1), closed: make(chan struct{})}
	c.seen[s.token] = s
	return s, nil
}

func (c *Client) unwatch(s *sight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.seen, s.token)
}

// put takes a notification, unless a newer one has come; Client.mu is held.
func (s *sight) put(r Response) {
	if !s.fresh(&r) {
		return
	}
	select {
	case <-s.news:
	default:
	}
	s.news <- r // there is room: this is the only sender
}

// fresh notes a response unless it is older than the last one (RFC 7641 section
// 3.4). One without a number is the last of all.
func (s *sight) fresh(r *Response) bool {
	if r.observe == nil {
		return true
	}
	const half = 1 << 23
	now, v := time.Now(), *r.observe
	newer := s.sequence < v && v-s.sequence < half || s.sequence > v && s.sequence-v > half
	if !s.at.IsZero() && !newer && now.Sub(s.at) <= orderedFor {
		return false
	}
	s.sequence, s.at = v, now
	return true
}

func value(v uint32) *uint32 { return &v }

// isNotification tells whether a response is of an observation.
func isNotification(m *message.Message) bool {
	_, ok := m.Option(message.Observe)
	return ok
}
