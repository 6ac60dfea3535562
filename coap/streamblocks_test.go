package coap_test

import (
	"bytes"
	"context"
	"testing"

	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/tcp"

	"skerry/coap"
	"skerry/coap/block"
	"skerry/coap/message"
)

// TestBlocksOverAStream uses go-coap's client, which sends several blocks of
// 1,024 bytes in one message (RFC 8323 section 6).
func TestBlocksOverAStream(t *testing.T) {
	s := newStore(t)
	server := s.serve(t, func(c *coap.Config) { c.Doors = coap.Doors{TCP: "127.0.0.1:0"} })
	_, plain, _ := server.DoorAddrs()
	conn, err := tcp.Dial(plain.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	for _, size := range []int{100, 5_000, 50_000, 200_000} {
		body := noise(size)
		answer, err := conn.Put(ctx, "/r/cam/blob", codec.AppOctets, bytes.NewReader(body))
		if err != nil || answer.Code() != codes.Changed {
			t.Fatalf("%d bytes: put %v %v", size, answer, err)
		}
		if got := blob(t, s); !bytes.Equal(got, body) {
			t.Errorf("%d bytes: %d are stored", size, len(got))
		}
		answer, err = conn.Get(ctx, "/r/cam/blob")
		if err != nil || answer.Code() != codes.Content {
			t.Fatalf("%d bytes: get %v %v", size, answer, err)
		}
		if got, err := answer.ReadBody(); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: %d are read: %v", size, len(got), err)
		}
	}
}

func TestSeveralBlocksInOneDatagramAreRefused(t *testing.T) {
	s := newStore(t)
	peer := dialRaw(t, s.serve(t).Addr().String())
	put := octets()
	put.payload = string(noise(block.MaxSize))
	put.options = append(put.options, opt{message.Block1, "\x0f"})
	peer.ask(put).want(t, message.BadRequest)
}
