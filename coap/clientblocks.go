package coap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"

	"skerry/coap/block"
	"skerry/coap/message"
)

const (
	// maxRestarts is how often a client begins anew because the server has lost
	// what came, or has something else now.
	maxRestarts = 2
	// maxAnswer is the largest answer that a client takes, in bytes.
	maxAnswer = 4 << 20
	tagSize   = 4 // bytes of a Request-Tag
)

// Errors of answers in blocks.
var (
	// ErrChanged: what is read changes faster than it can be read.
	ErrChanged = errors.New("coap: the answer changed while its blocks were read")
	// ErrAnswerTooLarge: an answer of more than 4 MiB.
	ErrAnswerTooLarge = errors.New("coap: the answer is too large")
)

// parts are the options of one message of several (RFC 7641, RFC 7959, RFC 9175).
type parts struct {
	block1, block2 *block.Option
	size1          uint32
	tag            []byte
	observe        *uint32
	echo           []byte // RFC 9175 section 2
	token          uint64 // of a request; 0 for a new one
}

func (p *parts) describe(m *message.Message) {
	if p.observe != nil {
		m.AddUint(message.Observe, *p.observe)
	}
	if p.block1 != nil {
		m.AddUint(message.Block1, p.block1.Uint())
	}
	if p.block2 != nil {
		m.AddUint(message.Block2, p.block2.Uint())
	}
	if p.size1 > 0 {
		m.AddUint(message.Size1, p.size1)
	}
	if p.tag != nil {
		m.Add(message.RequestTag, p.tag)
	}
	if p.echo != nil {
		m.Add(message.Echo, p.echo)
	}
}

// partsOf reads the blocks of a response.
func partsOf(m *message.Message) parts {
	p := parts{block1: blockOf(m, message.Block1), block2: blockOf(m, message.Block2)}
	if v, ok := m.Uint(message.Observe); ok {
		p.observe = &v
	}
	if v, ok := m.Option(message.Echo); ok {
		p.echo = bytes.Clone(v)
	}
	return p
}

// blockOf reads a block option; a malformed one is none.
func blockOf(m *message.Message, n message.Number) *block.Option {
	value, ok := m.Option(n)
	if !ok {
		return nil
	}
	o, err := block.Parse(value)
	if err != nil {
		return nil
	}
	return &o
}

// Do sends a request and returns the answer, whatever its code; see
// Response.Err. What is too large for one message goes and comes in blocks, each
// an exchange of its own. Errors: ErrTimeout, ErrReset, ErrClosed, ErrChanged,
// ErrAnswerTooLarge, those of ctx.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	t := transfer{c: c, r: &r, szx: block.MaxSZX}
	if r.BlockSize != 0 {
		t.szx = uint8(bits.Len(uint(r.BlockSize)) - 5)
		if r.BlockSize < 16 || r.BlockSize > block.MaxSize || r.BlockSize != 16<<t.szx {
			return Response{}, fmt.Errorf("coap: BlockSize %d is not 16, 32, 64, 128, 256, 512 or 1024", r.BlockSize)
		}
	}
	for range 1 + maxRestarts {
		first, err := t.send(ctx)
		if err != nil || first.Code.Class() != 2 || first.block2 == nil {
			return first, err
		}
		whole, err := t.rest(ctx, first)
		if !errors.Is(err, ErrChanged) {
			return whole, err
		}
	}
	return Response{}, ErrChanged
}

// converse sends one message and returns the answer. A server that wants to know
// first whether its answers arrive is shown that they do.
func (c *Client) converse(ctx context.Context, r *Request, p *parts) (Response, error) {
	answer, err := c.exchange(ctx, r, p)
	if err != nil || answer.Code != message.Unauthorized || answer.echo == nil {
		return answer, err
	}
	shown := *p
	shown.echo = answer.echo
	return c.exchange(ctx, r, &shown)
}

// transfer is a request and its answer, in as many messages as they need.
type transfer struct {
	c   *Client
	r   *Request
	szx uint8  // of the blocks sent
	tag []byte // nil where one message was enough
}

// send sends the request and returns the answer to its last message.
func (t *transfer) send(ctx context.Context) (Response, error) {
	if len(t.r.Payload) <= 16<<t.szx {
		p := parts{}
		if t.r.BlockSize != 0 { // asks for blocks of this size from the first on
			p.block2 = &block.Option{SZX: t.szx}
		}
		return t.c.converse(ctx, t.r, &p)
	}
	for range maxRestarts {
		answer, again, err := t.sendBlocks(ctx)
		if err != nil || !again {
			return answer, err
		}
	}
	answer, _, err := t.sendBlocks(ctx)
	return answer, err
}

// sendBlocks sends the payload in blocks. It tells to try again where nothing
// can have come of the body: the server has lost the blocks before the last one,
// or wants smaller ones.
func (t *transfer) sendBlocks(ctx context.Context) (answer Response, again bool, err error) {
	t.tag = make([]byte, tagSize)
	fillRandom(t.tag)
	for offset := 0; ; {
		o := block.Option{Num: uint32(offset >> (t.szx + 4)), SZX: t.szx}
		part, o, err := block.Slice(t.r.Payload, o)
		if err != nil {
			return answer, false, fmt.Errorf("coap: %w", err)
		}
		one := *t.r
		one.Payload = part
		p := parts{block1: &o, tag: t.tag}
		if o.Num == 0 {
			p.size1 = uint32(len(t.r.Payload))
		}
		answer, err = t.c.converse(ctx, &one, &p)
		if err != nil {
			return answer, false, err
		}
		smaller := answer.block1 != nil && answer.block1.SZX < t.szx
		if smaller {
			t.szx = answer.block1.SZX
		}
		switch {
		case answer.Code == message.TooLarge:
			return answer, smaller && offset == 0, nil
		case answer.Code == message.Incomplete:
			return answer, o.More, nil
		case answer.Code != message.Continue || !o.More:
			return answer, false, nil
		}
		offset += len(part)
	}
}

// rest reads the blocks after the first one of an answer.
func (t *transfer) rest(ctx context.Context, first Response) (Response, error) {
	whole, o := first, *first.block2
	one := *t.r
	one.Payload = nil
	for o.More {
		if len(whole.Payload) > maxAnswer {
			return Response{}, ErrAnswerTooLarge
		}
		o = block.Option{Num: uint32(len(whole.Payload) >> (o.SZX + 4)), SZX: o.SZX}
		next, err := t.c.converse(ctx, &one, &parts{block2: &o, tag: t.tag})
		switch {
		case err != nil || next.Code.Class() != 2:
			return next, err
		case next.block2 == nil, next.block2.Offset() != len(whole.Payload), !bytes.Equal(next.ETag, first.ETag):
			return Response{}, ErrChanged
		}
		o = *next.block2
		whole.Payload = append(whole.Payload, next.Payload...)
	}
	return whole, nil
}
