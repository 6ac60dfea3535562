package coap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"skerry/coap"
	"skerry/coap/block"
	"skerry/coap/message"
	"skerry/fsm"
)

func clientOf(tb testing.TB, addr string) *coap.Client {
	tb.Helper()
	c, err := coap.Dial(addr, coap.ClientConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// do expects an answer of one code.
func do(tb testing.TB, c *coap.Client, r coap.Request, want message.Code) coap.Response {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	response, err := c.Do(ctx, r)
	if err != nil || response.Code != want {
		tb.Fatalf("got %v %q and error %v, want %v", response.Code, response.Payload, err, want)
	}
	return response
}

func TestClientSendsAndReadsInBlocks(t *testing.T) {
	for _, c := range []struct {
		size, blockSize int
		unconfirmed     bool
	}{
		{5_000, 0, false}, {5_000, 0, true}, {5_000, 16, false}, {5_000, 64, true}, {5_000, 1024, false},
		{200_000, 0, false}, {200_000, 0, true}, {200_000, 16, false}, {200_000, 64, false}, {200_000, 64, true},
		{1_024, 0, false}, {1_025, 0, false}, {0, 16, false},
	} {
		kind := "CON"
		if c.unconfirmed {
			kind = "NON"
		}
		t.Run(fmt.Sprintf("%d bytes in blocks of %d, %s", c.size, c.blockSize, kind), func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			client := dialClient(t, s.serve(t))
			at, body := coap.ReadingPath("cam", "blob"), noise(c.size)
			put := coap.Request{Method: message.PUT, Path: at, Payload: body, Format: 42, Typed: true, BlockSize: c.blockSize, Unconfirmed: c.unconfirmed}
			if c.size == 0 {
				do(t, client, put, message.BadRequest)
				return
			}
			do(t, client, put, message.Changed)
			once(t, s, body)
			got := do(t, client, coap.Request{Method: message.GET, Path: at, BlockSize: c.blockSize, Unconfirmed: c.unconfirmed}, message.Content)
			if !bytes.Equal(got.Payload, body) || got.Format != 42 {
				t.Errorf("read %d bytes of format %d, want what was stored", len(got.Payload), got.Format)
			}
		})
	}
}

func TestClientSendsAndReadsTheLargestFrame(t *testing.T) {
	s := newStore(t)
	client := dialClient(t, s.serve(t))
	body := append(picture(t, 640, 480), noise(fsm.MaxFrame)...)[:fsm.MaxFrame]
	put := coap.Request{Method: message.PUT, Path: coap.ReadingPath("cam", "front"), Payload: body, Format: 22, Typed: true}
	do(t, client, put, message.Changed)
	got := do(t, client, coap.Request{Method: message.GET, Path: put.Path, Accept: 22, Choosy: true}, message.Content)
	if !bytes.Equal(got.Payload, body) {
		t.Errorf("read %d bytes, want the %d of the frame", len(got.Payload), len(body))
	}
	put.Payload = append(put.Payload, 0)
	do(t, client, put, message.TooLarge)
}

func TestSmallBlocksAreNoFlood(t *testing.T) {
	s := newStore(t)
	client := clientOf(t, s.serve(t, func(c *coap.Config) { c.Limits = coap.DefaultLimits() }).Addr().String())
	body := noise(200_000)
	put := coap.Request{Method: message.PUT, Path: coap.ReadingPath("cam", "blob"), Payload: body, Format: 42, Typed: true, BlockSize: 16}
	do(t, client, put, message.Changed)
	if got := do(t, client, coap.Request{Method: message.GET, Path: put.Path, BlockSize: 16}, message.Content); !bytes.Equal(got.Payload, body) {
		t.Errorf("read %d bytes, want the %d that were stored", len(got.Payload), len(body))
	}
}

func TestManyClientsSendInBlocksAtOnce(t *testing.T) {
	s := newStore(t)
	addr := s.serve(t).Addr().String()
	var group sync.WaitGroup
	const clients = 20
	for i := range clients {
		client := clientOf(t, addr)
		group.Go(func() {
			body := append([]byte{byte(i)}, noise(20_000)...)
			response, err := client.Do(context.Background(), coap.Request{
				Method: message.PUT, Path: coap.ReadingPath(fmt.Sprint("cam-", i), "blob"), Payload: body, Format: 42, Typed: true,
			})
			if err != nil || response.Code != message.Changed {
				t.Errorf("client %d: %v %v", i, response.Code, err)
			}
		})
	}
	group.Wait()
	for i := range clients {
		if r, ok := s.Latest(fmt.Sprint("cam-", i), "blob"); !ok || len(r.Value.Data) != 20_001 || r.Value.Data[0] != byte(i) {
			t.Errorf("client %d's body is not what it sent", i)
		}
	}
}

// answers makes a fake server's answer to a message.
func answers(m *message.Message, code message.Code, payload []byte, options ...opt) [][]byte {
	a := message.Message{Type: message.ACK, Code: code, ID: m.ID, Token: m.Token, Payload: payload}
	for _, o := range options {
		a.Add(o.number, []byte(o.value))
	}
	b, err := a.Append(nil)
	if err != nil {
		panic(err)
	}
	return [][]byte{b}
}

// block1 is the Block1 option of a request, Num 0 and not More without one.
func block1(m *message.Message) block.Option {
	value, _ := m.Option(message.Block1)
	o, err := block.Parse(value)
	if err != nil {
		panic(err)
	}
	return o
}

func TestClientHeedsWhatTheServerSaysOfBlocks(t *testing.T) {
	body := noise(3_000)
	for _, c := range []struct {
		name string
		// react answers the n-th message, which has the block o.
		react func(n int, o block.Option) (message.Code, block.Option)
	}{
		{"go on with smaller ones", func(n int, o block.Option) (message.Code, block.Option) {
			return message.Continue, block.Option{Num: o.Num, More: o.More, SZX: min(o.SZX, 2)}
		}},
		{"begin with smaller ones", func(n int, o block.Option) (message.Code, block.Option) {
			if o.SZX > 3 {
				return message.TooLarge, block.Option{More: true, SZX: 3}
			}
			return message.Continue, o
		}},
		{"begin anew", func(n int, o block.Option) (message.Code, block.Option) {
			if n == 2 {
				return message.Incomplete, o
			}
			return message.Continue, o
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newFake(t, func(n int, m *message.Message) [][]byte {
				o := block1(m)
				code, with := c.react(n, o)
				if code == message.Continue && !o.More {
					code = message.Changed
				}
				return answers(m, code, nil, opt{message.Block1, asNumber(with.Uint())})
			})
			client := clientOf(t, server.conn.LocalAddr().String())
			do(t, client, coap.Request{Method: message.PUT, Path: []string{"x"}, Payload: body}, message.Changed)
			var got []byte
			for _, b := range server.received() {
				var m message.Message
				if kind, err := message.Parse(b, &m); kind != message.Request {
					t.Fatal(kind, err)
				}
				got = append(got[:block1(&m).Offset()], m.Payload...)
			}
			if !bytes.Equal(got, body) {
				t.Errorf("the server got %d bytes, want these %d", len(got), len(body))
			}
		})
	}
}

func TestClientTakesNoForAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		at   uint32 // the block that is refused
		code message.Code
		want int // messages sent
	}{
		{"to the first block", 0, message.TooLarge, 1},
		{"to a block in the middle", 1, message.TooManyRequests, 2},
		{"to the last block, of which it cannot know what became", 2, message.Incomplete, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newFake(t, func(n int, m *message.Message) [][]byte {
				o := block1(m)
				code := message.Continue
				if o.Num == c.at {
					code = c.code
				}
				return answers(m, code, nil, opt{message.Block1, asNumber(o.Uint())})
			})
			client := clientOf(t, server.conn.LocalAddr().String())
			do(t, client, coap.Request{Method: message.PUT, Path: []string{"x"}, Payload: noise(3_000)}, c.code)
			if n := len(server.received()); n != c.want {
				t.Errorf("%d messages were sent, want %d", n, c.want)
			}
		})
	}
}

func TestClientReadsAgainWhatHasChanged(t *testing.T) {
	body := noise(3_000)
	// The server's ETag changes with its n-th message, for good or each time.
	serve := func(changes func(n int) byte) *fake {
		return newFake(t, func(n int, m *message.Message) [][]byte {
			value, _ := m.Option(message.Block2)
			o, err := block.Parse(value)
			if err != nil {
				panic(err)
			}
			part, o, err := block.Slice(body, block.Option{Num: o.Num, SZX: 6})
			if err != nil {
				return answers(m, message.BadRequest, nil)
			}
			return answers(m, message.Content, part, opt{message.ETag, string([]byte{changes(n)})}, opt{message.Block2, asNumber(o.Uint())})
		})
	}
	t.Run("once", func(t *testing.T) {
		server := serve(func(n int) byte { return byte(min(n, 2)) })
		got := do(t, clientOf(t, server.conn.LocalAddr().String()), coap.Request{Method: message.GET, Path: []string{"x"}}, message.Content)
		if !bytes.Equal(got.Payload, body) || !bytes.Equal(got.ETag, []byte{2}) {
			t.Errorf("got %d bytes with the ETag %x", len(got.Payload), got.ETag)
		}
	})
	t.Run("but not for ever", func(t *testing.T) {
		server := serve(func(n int) byte { return byte(n) })
		_, err := clientOf(t, server.conn.LocalAddr().String()).Do(context.Background(), coap.Request{Method: message.GET, Path: []string{"x"}})
		if !errors.Is(err, coap.ErrChanged) || len(server.received()) != 6 {
			t.Errorf("got %v after %d messages, want ErrChanged after 6", err, len(server.received()))
		}
	})
}

func TestClientTakesNoOtherBlockSizes(t *testing.T) {
	client := clientOf(t, "127.0.0.1:9")
	for _, size := range []int{-1, 1, 8, 17, 1_000, 2_048} {
		if _, err := client.Do(context.Background(), coap.Request{Method: message.GET, BlockSize: size}); err == nil {
			t.Errorf("%d is taken", size)
		}
	}
}
