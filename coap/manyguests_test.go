package coap_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	codec "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/tcp"

	"skerry/coap/message"
)

// TestGuestsOfAllDoorsKeepTheirMessagesApart has sessions and connections post at
// once, each under a name of its own that is the value too.
func TestGuestsOfAllDoorsKeepTheirMessagesApart(t *testing.T) {
	const guests, posts = 4, 200
	s := newStore(t)
	for i := range guests {
		s.register(t, fmt.Sprintf("session-%d", i))
	}
	server := s.serve(t, everyDoor(t))
	_, plain, _ := server.DoorAddrs()
	var work sync.WaitGroup
	defer work.Wait()
	for i := range guests {
		name := fmt.Sprintf("session-%d", i)
		device := enter(t, server, name)
		work.Go(func() {
			for range posts {
				m, err := device.try(putReading(name, "is", name))
				if err != nil || m.Code != message.Changed {
					t.Errorf("%s: %v, %v", name, m, err)
					return
				}
			}
		})
		work.Go(func() { postMany(t, plain, fmt.Sprintf("stream-%d", i), posts) })
	}
	work.Wait()
	list := s.readings()
	for _, r := range list {
		if r.Value.Text != r.Device || r.Resource != "is" {
			t.Fatalf("%s/%s is stored as %q", r.Device, r.Resource, r.Value.Text)
		}
	}
	if n := len(list); n != 2*guests*posts {
		t.Errorf("%d readings are stored, want %d", n, 2*guests*posts)
	}
}

// postMany posts over a connection of its own.
func postMany(t *testing.T, at net.Addr, name string, posts int) {
	conn, err := tcp.Dial(at.String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range posts {
		answer, err := conn.Post(ctx, "/r/"+name+"/is", codec.TextPlain, strings.NewReader(name))
		if err != nil || answer.Code() != codes.Changed {
			t.Errorf("%s: %v, %v", name, answer, err)
			return
		}
	}
}
